/*
 * Scripted REST resource (POST) that takes Clusterway's webhooks and resumes the flow that waits.
 *
 * It believes nothing before the signature is right (Standard Webhooks 1.0: HMAC-SHA256 over id,
 * timestamp and body), takes each event once, and sends the flow the message that it gave Clusterway
 * in `correlation` when it started the job. ECMAScript 5, so that it runs in every script mode.
 *
 * Needs: a table (DELIVERIES) with the unique string column `event_id` and the columns `type`,
 * `job_id` and `payload`; a property (SECRETS) with the subscription's secret, or several with
 * blanks between them while one is being rotated. Both names are yours to change.
 */
(function process(/*RESTAPIRequest*/ request, /*RESTAPIResponse*/ response) {
    var SECRETS = 'x_clusterway.webhook_secrets';
    var DELIVERIES = 'x_clusterway_delivery';
    var TOLERANCE_SECONDS = 300;
    var LARGEST_BODY = 1000000;
    // Only an end resumes the flow. Add 'job.waiting' where a flow shall ask people for their word.
    var RESUMES = { 'job.succeeded': true, 'job.failed': true, 'job.cancelled': true };

    // The body is a stream and can be read once: as text, because the signature is over the text.
    var body = request.body ? String(request.body.dataString || '') : '';
    var id = String(request.getHeader('webhook-id') || '');
    var at = String(request.getHeader('webhook-timestamp') || '');
    var signatures = String(request.getHeader('webhook-signature') || '');

    if (body.length > LARGEST_BODY) {
        return answer(413, 'too large');
    }
    var secrets = String(gs.getProperty(SECRETS) || '').split(' ').filter(isSecret);
    if (secrets.length === 0) {
        gs.error('Clusterway: the property ' + SECRETS + ' holds no whsec_ secret');
        return answer(503, 'not set up'); // It is sent again, over three days.
    }
    if (!/^[0-9]{1,12}$/.test(at) || Math.abs(now() - Number(at)) > TOLERANCE_SECONDS) {
        return answer(401, 'too old, or from the future');
    }
    if (!id || !genuine(id + '.' + at + '.' + body)) {
        gs.warn('Clusterway: a delivery was refused, its signature is wrong');
        return answer(401, 'signature');
    }
    if (taken(id)) {
        return answer(204); // A retry or a replay: say thanks, do nothing.
    }
    resume(JSON.parse(body));
    return answer(204);

    function isSecret(word) {
        return word.indexOf('whsec_') === 0;
    }

    function now() {
        return Math.floor(new Date().getTime() / 1000);
    }

    function genuine(content) {
        var given = signatures.split(' ');
        var good = false;
        secrets.forEach(function (secret) {
            // generateMac wants its key in base64; behind whsec_ it is in base64 already.
            var mac = new CertificateEncryption().generateMac(
                secret.substring('whsec_'.length), 'HmacSHA256', content);
            given.forEach(function (one) {
                good = same('v1,' + mac, one) || good;
            });
        });
        return good;
    }

    function same(wanted, found) {
        // Takes as long for a wrong first letter as for a wrong last one.
        var different = wanted.length ^ found.length;
        for (var place = 0; place < wanted.length; place++) {
            different |= wanted.charCodeAt(place) ^ (found.charCodeAt(place) || 0);
        }
        return different === 0;
    }

    function taken(event) {
        var known = new GlideRecord(DELIVERIES);
        known.addQuery('event_id', event);
        known.query();
        return known.next();
    }

    function resume(told) {
        var data = told.data || {};
        var correlation = data.correlation || {};
        var event = data.event || {};
        var payload = JSON.stringify({
            type: told.type,
            job_id: data.job_id,
            succeeded: told.type === 'job.succeeded',
            change: data.change,
            failure: event.failure || null,
            links: data.links
        });
        // First the message, then the row: what is interrupted between the two comes once more,
        // and a flow that goes on already does not mind.
        if (RESUMES[told.type] && correlation.flow_context_id && correlation.message) {
            sn_fd.FlowAPI.sendMessage(correlation.flow_context_id, correlation.message, payload);
        }
        var row = new GlideRecord(DELIVERIES);
        row.initialize();
        row.setValue('event_id', id);
        row.setValue('type', told.type);
        row.setValue('job_id', data.job_id || '');
        row.setValue('payload', payload);
        row.insert();
    }

    function answer(status, why) {
        response.setStatus(status);
        if (why) {
            response.setBody({ error: why });
        }
    }
})(request, response);

/*
 * Script step of a Workflow Studio action: may the job of this change start now?
 *
 * Input: change (sys_id of a change_request). Outputs: may_start (true/false), reason (text), and
 * change_block (JSON text), the `change` that goes into the start body. It only reads.
 *
 * The states are those of the state model that ServiceNow documents (Implement: -1). Where your
 * change model has others, IMPLEMENT is the line to change.
 */
(function execute(inputs, outputs) {
    var IMPLEMENT = '-1';
    var change = new GlideRecord('change_request');
    outputs.may_start = false;
    outputs.change_block = '';
    if (!change.get(inputs.change)) {
        outputs.reason = 'There is no such change.';
        return;
    }
    var number = String(change.getValue('number'));
    // Dates in records are UTC, year first: as texts they are in the order of time.
    var begins = String(change.getValue('start_date') || '');
    var ends = String(change.getValue('end_date') || '');
    var now = String(new GlideDateTime().getValue());

    outputs.reason = why();
    if (outputs.reason) {
        return;
    }
    outputs.may_start = true;
    outputs.change_block = JSON.stringify({
        system: 'servicenow',
        number: number,
        sys_id: String(inputs.change),
        window_start: instant(begins),
        window_end: instant(ends)
    });

    function why() {
        if (String(change.getValue('approval')) !== 'approved') {
            return number + ' is not approved.';
        }
        if (String(change.getValue('state')) !== IMPLEMENT) {
            return number + ' is not in state Implement.';
        }
        if (!begins || !ends) {
            return number + ' has no planned start and end.';
        }
        if (now < begins) {
            return number + ' begins at ' + begins + ' UTC.';
        }
        if (now >= ends) {
            return number + ' ended at ' + ends + ' UTC.';
        }
        return '';
    }

    function instant(utc) {
        return utc.replace(' ', 'T') + 'Z';
    }
})(inputs, outputs);

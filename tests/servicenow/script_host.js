// Runs a script of docs/servicenow/ under Node.js, over stand-ins for the globals that ServiceNow's
// documentation describes. One JSON document in, one out; the tables live with the caller.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const vm = require('vm');

const given = JSON.parse(fs.readFileSync(0, 'utf8'));
const told = { tables: given.tables || {}, messages: [], logs: [], status: null, body: null };

class GlideRecord {
    constructor(table) {
        this.table = table;
        this.rows = told.tables[table] || [];
        this.queries = [];
        this.row = null;
    }
    initialize() { this.row = {}; }
    setValue(name, value) { this.row[name] = String(value); }
    getValue(name) { return this.row[name] === undefined ? null : this.row[name]; }
    insert() {
        // A unique column refuses a second row: no sys_id comes back.
        if (this.row.event_id && this.rows.some((row) => row.event_id === this.row.event_id)) {
            return null;
        }
        told.tables[this.table] = [...this.rows, this.row];
        return 'sys-' + this.rows.length;
    }
    addQuery(name, value) { this.queries.push([name, String(value)]); }
    query() {
        this.found = this.rows.filter((row) => this.queries.every(([n, v]) => row[n] === v));
    }
    next() {
        this.row = this.found.shift() || null;
        return this.row !== null;
    }
    get(sysId) {
        this.row = this.rows.find((row) => row.sys_id === sysId) || null;
        return this.row !== null;
    }
}

class CertificateEncryption {
    // "Key ... must be Base64 encoded"; "MAC in base64 format".
    generateMac(key, algorithm, data) {
        if (algorithm !== 'HmacSHA256') {
            throw new Error('stand-in knows HmacSHA256 only');
        }
        return crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(data, 'utf8')
            .digest('base64');
    }
}

class GlideDateTime {
    getValue() { return given.now || new Date().toISOString().slice(0, 19).replace('T', ' '); }
}

function log(level) {
    return (text) => told.logs.push(`${level}: ${text}`);
}

// "Streams are only consumed once": a second read of the body gives nothing.
let unread = (given.request || {}).body;
function once() {
    const text = unread;
    unread = '';
    return text;
}
const body = {
    get dataString() { return once(); },
    get data() { return JSON.parse(once() || 'null'); },
};
const headers = Object.fromEntries(
    Object.entries((given.request || {}).headers || {}).map(([k, v]) => [k.toLowerCase(), v]));

const globals = {
    GlideRecord, CertificateEncryption, GlideDateTime,
    gs: {
        getProperty: (name) => (given.properties || {})[name] || null,
        error: log('error'), warn: log('warn'), info: log('info'),
    },
    sn_fd: {
        FlowAPI: {
            sendMessage: (context, message, payload) => {
                told.messages.push({ context, message, payload });
            },
        },
    },
    request: {
        body,
        getHeader: (name) => headers[name.toLowerCase()] ?? null,
    },
    response: {
        setStatus: (status) => { told.status = status; },
        setBody: (answer) => { told.body = answer; },
    },
    inputs: given.inputs || {},
    outputs: {},
};
vm.runInNewContext(fs.readFileSync(given.script, 'utf8'), globals, { timeout: 5000 });
told.outputs = globals.outputs;
process.stdout.write(JSON.stringify(told));

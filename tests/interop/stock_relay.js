// Runs one stock relay for the tests, on loopback: its URL goes out as a JSON line; it stops when its input closes.
//
// Usage: node stock_relay.js <relay package folder> <node package folder> [token]. The node package lends the library `ws`.
'use strict';

const path = require('path');

const [relayFolder, nodeFolder, token] = process.argv.slice(2);
const say = (event, facts) => process.stdout.write(JSON.stringify({ event, ...facts }) + '\n');

const { SymRelay } = require(path.join(relayFolder, 'lib', 'relay.js'));
const { WebSocketServer } = require(require.resolve('ws', { paths: [nodeFolder] }));

const relay = new SymRelay({ token, logLevel: 'error', logger: { info() {}, warn() {}, error() {}, debug() {} } });
const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => {
  say('ready', { url: `ws://127.0.0.1:${server.address().port}` });
});
server.on('connection', (socket) => relay.handleConnection(socket));
relay.start();
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));

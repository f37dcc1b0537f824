// Runs one stock Node peer for the tests: commands come in as JSON lines, events go out as JSON lines.
//
// Usage: node stock_node.js <package folder> <name> [room] [relay URL] [token]. It listens on loopback only and multicasts
// nothing, and with a relay it does not listen at all; state goes where HOME and SYM_STATE_DIR say.
'use strict';

const net = require('net');
const path = require('path');
const readline = require('readline');

const [folder, name, room, relay, relayToken] = process.argv.slice(2);
const say = (event, facts) => process.stdout.write(JSON.stringify({ event, ...facts }) + '\n');

// The package listens on every interface; a test must not.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, _host, ready) {
  return listen.call(this, port, '127.0.0.1', ready);
};

const { SymNode } = require(path.join(folder, 'lib', 'node.js'));
const { BonjourDiscovery } = require(path.join(folder, 'lib', 'discovery.js'));

const way = relay ? { relayOnly: true, relay, relayToken } : { discovery: new BonjourDiscovery({ mdns: false }) };
const node = new SymNode({ name, room: room || 'default', silent: true, ...way });
node.on('peer-joined', (peer) => say('joined', { id: peer.id, name: peer.name }));
node.on('peer-left', (peer) => say('left', { id: peer.id, name: peer.name }));
node.on('cmb-accepted', (entry) => say('accepted', {
  key: entry._incomingKey || entry.key,
  verified: entry._cmbVerified === true,
  directed: entry._directedToMe === true,
  content: entry.content,
}));
node.on('metric', (metric) => {
  if (/rejected|unverif|undelivered/.test(metric.type)) say('metric', metric);
});

const commands = {
  remember: ({ categories, to }) => {
    const entry = node.remember(categories, to ? { to } : {});
    return { key: entry ? entry.key : null };
  },
  fetch: async ({ key }) => {
    const found = await node.fetchCMB(key, { timeoutMs: 5000 });
    return { found: found !== null && found !== undefined };
  },
  mood: ({ mood }) => { node.broadcastMood(mood, 'a test'); return {}; },
};

async function main() {
  await node.start();
  say('ready', { nodeId: node.nodeId, port: node._port });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    say('done', { command: command.do, ...(await commands[command.do](command)) });
  }
  await node.stop();
  process.exit(0);
}

main().catch((error) => { say('failed', { message: String(error && error.stack || error) }); process.exit(1); });

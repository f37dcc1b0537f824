// One stock Node peer for `benches.rivals.stock`: it says blocks as fast as it can, or counts what it admits.
//
// Usage: node stock_node.js <package folder> <name> <blocks>. Two of one HOME meet through the registry there, on
// loopback only. A line of JSON in is an array of blocks to say; lines out are `ready`, `joined`, `so-far` and,
// once that many blocks were admitted, `admitted` with the seconds from the first to the last.
'use strict';

const net = require('net');
const path = require('path');
const readline = require('readline');

const [folder, name, blocks] = process.argv.slice(2);
const say = (event, facts) => process.stdout.write(JSON.stringify({ event, ...facts }) + '\n');

// The package listens on every interface; a bench must not.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, _host, ready) {
  return listen.call(this, port, '127.0.0.1', ready);
};

const { SymNode } = require(path.join(folder, 'lib', 'node.js'));
const { BonjourDiscovery } = require(path.join(folder, 'lib', 'discovery.js'));

// A gate that admits all, as covey's has it in the same run: each block is judged and each is kept.
const gate = { svafStableThreshold: 2, svafGuardedThreshold: 2, svafRedundancyThreshold: 0 };
const node = new SymNode({ name, room: 'bench', silent: true, discovery: new BonjourDiscovery({ mdns: false }), ...gate });

let admitted = 0;
let began = 0n;
node.on('peer-joined', () => say('joined', {}));
node.on('cmb-accepted', () => {
  admitted += 1;
  if (admitted === 1) began = process.hrtime.bigint();
  if (admitted % 100 === 0) say('so-far', { admitted });
  if (admitted === Number(blocks)) say('admitted', { seconds: Number(process.hrtime.bigint() - began) / 1e9 });
});

async function main() {
  await node.start();
  say('ready', { nodeId: node.nodeId });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    for (const categories of JSON.parse(line)) {
      node.remember(categories, {});
      await new Promise((resume) => setImmediate(resume)); // its sockets are written and read in between
    }
  }
  process.exit(0); // whoever measures has ended
}

main().catch((error) => { say('failed', { message: String(error && error.stack || error) }); process.exit(1); });

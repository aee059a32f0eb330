// The built command in one process for a whole page: a start costs a third of a second, and the pages have hundreds of commands. The shim on PATH
// (page-shell.ts) sends its arguments, its environment and its pid; what the command prints goes straight into the shim's own streams.
import { EventEmitter } from 'node:events';
import { createWriteStream, openSync } from 'node:fs';
import { createServer } from 'node:net';

// The simulator takes no time; between two looks at it the command need not take any either.
const HURRY = 20;
const { setTimeout: timer, performance: watch } = globalThis;
const elapsed = watch.now.bind(watch);
globalThis.setTimeout = (callback, ms, ...rest) => timer(callback, ms / HURRY, ...rest);
watch.now = () => elapsed() * HURRY;
const { main } = await import('../../apps/cli/dist/main.js');

const server = createServer((socket) => {
  let request = '';
  socket.setEncoding('utf8').on('error', () => undefined);
  socket.on('data', (text) => {
    request += text;
    if (!request.endsWith('\0\0')) return;
    const [pid, cwd, count, ...rest] = request.split('\0');
    const args = rest.slice(0, Number(count));
    const env = Object.fromEntries(
      rest.slice(Number(count)).flatMap((entry) => [/^([^=]+)=(.*)$/s.exec(entry)?.slice(1) ?? []].filter((pair) => pair.length === 2)),
    );
    void answer(socket, { pid, cwd, args, env });
  });
});

async function answer(socket, request) {
  socket.end(`${await run(request).catch((error) => `broken: ${error}`)}\n`);
}

async function run({ pid, cwd, args, env }) {
  // What the command starts (a passphrase command, a probe) and the AWS SDK look into the process itself.
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(cwd);
  // 8 and 9 are the shim's own copies of its streams: 1 is the connection while it writes to that.
  const streams = [8, 9].map((fd) => createWriteStream('', { fd: openSync(`/proc/${pid}/fd/${fd}`, 'a') }));
  const code = await new Promise((resolve, reject) => {
    const host = Object.assign(new EventEmitter(), {
      argv: [process.execPath, 'onevault', ...args],
      env: process.env,
      cwd: () => cwd,
      getuid: () => process.getuid(),
      pid: process.pid,
      stdout: streams[0],
      stderr: streams[1],
      stdin: process.stdin,
      exit: resolve,
    });
    main(host).catch(reject);
  }).catch((error) => {
    streams[1].write(`${error?.stack ?? error}\n`);
    return 'broken';
  });
  await Promise.all(streams.map((stream) => new Promise((resolve) => stream.on('error', resolve).end(resolve))));
  return code;
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
process.stdin.resume().on('end', () => process.exit(0));

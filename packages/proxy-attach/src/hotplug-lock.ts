import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { type CallOptions, type Clock, errorCode } from '@onevault/base';
import { AttachError } from './errors.ts';

/** Held while disks of one proxy VM are plugged or unplugged, by one process and one hot-plug at a time. */
export interface HotplugLock {
  /** Waits its turn, at most `timeoutMs`: then ATTACH_PROXY_IN_USE. Disposing the result gives it back. */
  acquire(timeoutMs: number, options?: CallOptions): Promise<AsyncDisposable>;
}

const RETRY_MS = 250;

/**
 * The lock of the proxy VM that this runs in, for all processes and users of the machine, whatever state directory they have. It is a socket in Linux's
 * abstract namespace (unix(7)): binding it is atomic, and the kernel gives it back in the moment its process ends, however it ends, so there is no
 * stale lock to judge and no file to remove. Processes in other network namespaces do not see it; OpenNebula's own "wrong state HOTPLUG" is left to them.
 * `proxyRoot`: the root directory of the proxy VM; one lock for each.
 */
export function machineHotplugLock(deps: { readonly clock: Clock; readonly proxyRoot?: string }): HotplugLock {
  const name = hotplugLockName(deps.proxyRoot ?? '/');
  return {
    async acquire(timeoutMs, options = {}) {
      const deadlineMs = deps.clock.monotonicMs() + timeoutMs;
      for (;;) {
        options.signal?.throwIfAborted();
        const server = await bind(name);
        if (server !== undefined) return { [Symbol.asyncDispose]: () => close(server) };
        if (deps.clock.monotonicMs() >= deadlineMs) throw inUse(timeoutMs);
        await deps.clock.sleep(RETRY_MS, options);
      }
    },
  };
}

/** In the abstract namespace; `ss -xl` shows who holds it. */
export function hotplugLockName(proxyRoot: string): string {
  return `\0onevault-hotplug-${createHash('sha256').update(proxyRoot).digest('hex').slice(0, 24)}`;
}

/** Undefined while somebody else has it. */
function bind(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => (errorCode(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(path, () => {
      server.unref(); // a lock is no reason to stay alive
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function inUse(timeoutMs: number): AttachError {
  return new AttachError({
    code: 'ATTACH_PROXY_IN_USE',
    message: `plug a disk: another process on this proxy VM has been plugging disks for ${Math.round(timeoutMs / 1000)} s`,
    details: { timeoutMs },
    retryable: true,
    hint: 'see what the other onevault on this machine waits for (ps, onevm show of the proxy VM); stop it with one SIGTERM if it hangs',
  });
}

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Requirement } from './requires.ts';

/** A real file system in memory, as small as a test wants it. Needs root. */
export class TinyFileSystem implements Disposable {
  readonly path: string;

  constructor(sizeKib: number) {
    this.path = mkdtempSync(join(tmpdir(), 'onevault-tiny-'));
    mount(['-t', 'tmpfs', '-o', `size=${sizeKib}k,mode=0755`, 'onevault-test', this.path]);
  }

  /** Below the root of the mount, so that it can be moved away. */
  get directory(): string {
    return join(this.path, 'directory');
  }

  /** `size=…k`, `nr_inodes=…`, `ro`, `rw`. */
  remount(option: string): void {
    mount(['-o', `remount,${option}`, this.path]);
  }

  /** In use, as the file system counts it. */
  used(what: 'kib' | 'inodes'): number {
    const columns = what === 'kib' ? ['--output=used', '-k'] : ['--output=iused'];
    return Number(execFileSync('df', [...columns, this.path], { encoding: 'utf8' }).split('\n')[1]);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['--lazy', this.path], { stdio: 'ignore' });
    rmdirSync(this.path);
  }
}

/** Tries it: root in a container often may not mount. */
export function requiresTinyFileSystem(): Requirement {
  return { met: canMount(), message: 'no tmpfs can be mounted: run as root, where the kernel allows it (containers often need CAP_SYS_ADMIN)' };
}

function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'onevault-mount-'));
  mkdirSync(join(path, 'm'));
  try {
    execFileSync('sh', ['-c', 'mount -t tmpfs -o size=64k onevault-test "$1" && umount "$1"', 'sh', join(path, 'm')], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(join(path, 'm'));
    rmdirSync(path);
  }
}

function mount(args: readonly string[]): void {
  execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

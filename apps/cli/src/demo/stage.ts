import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Scope } from '@onevault/base';
import { compose, UNLIMITED } from '@onevault/composition';
import { type Simulator, startSimulator } from '@onevault/one-sim';
import type { CommandContext } from '../command-context.ts';
import { createOutput, type Output, paint, type TextStream } from '../render/output.ts';
import type { Settings } from '../settings.ts';
import { placeOf } from '../sim/sim-place.ts';

/** Where the demo plays: a directory of its own, a simulator, and a context in which the product's own commands run against it. */
export interface Stage extends AsyncDisposable {
  readonly dir: string;
  readonly simulator: Simulator;
  readonly context: CommandContext;
  /** The same, with another repository. */
  contextWithRepo(path: string): CommandContext;
  /** A new part of the story. */
  scene(title: string): void;
  say(text: string): void;
  /** The command as a user would type it; its real output follows. */
  command(text: string): void;
}

export interface StageOptions {
  readonly dir?: string;
  readonly keep: boolean;
}

export async function openStage(outer: CommandContext, options: StageOptions): Promise<Stage> {
  await using scope = new Scope();
  const dir = await workingDirectory(outer, options, scope);
  const simulator = scope.use(await startSimulator({ dir: join(dir, 'cloud') }));
  const place = await placeOf(simulator);
  const output = storyOutput(outer.output);
  const settings: Settings = {
    server: undefined,
    repo: join(dir, 'repository'),
    oneEnvironment: { ONE_XMLRPC: place.endpoint, ONE_AUTH: place.authFile },
    storeEnvironment: {},
    target: { secret: undefined, storeEnvironment: {} },
    traffic: UNLIMITED,
    secret: undefined,
    proxyRoot: place.proxyRoot,
    proxyVm: undefined,
    identification: {},
    stateDir: join(dir, 'state'),
    output,
  };
  const contextFor = (chosen: Settings): CommandContext => ({ ...outer, settings: chosen, output, compose: compose(chosen, outer.logger, outer.clock) });
  let scenes = 0;
  const owned = scope.move();
  return {
    dir,
    simulator,
    context: contextFor(settings),
    contextWithRepo: (path) => contextFor({ ...settings, repo: path }),
    scene: (title) => output.line(`\n${paint(`${++scenes}. ${title}`, 'bold', output.color)}`),
    say: (text) => output.line(`   ${text}`),
    command: (text) => output.line(paint(`$ onevault ${text}`, 'dim', output.color)),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** A new temporary directory, or one inside `--dir`, so that nothing of the user's is ever removed. */
async function workingDirectory(outer: CommandContext, options: StageOptions, scope: Scope): Promise<string> {
  const parent = options.dir === undefined ? tmpdir() : resolve(outer.around.cwd, options.dir);
  await mkdir(parent, { recursive: true });
  const dir = await mkdtemp(join(parent, 'onevault-demo-'));
  if (options.keep) return dir;
  // Nothing but the demo knows of the directory: whoever is impatient would be left with it.
  scope.use(outer.onLeave(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 })));
  scope.defer(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A story has one order, so everything goes to stdout; in the JSON modes nobody listens to it. */
function storyOutput(outer: Output): Output {
  const stream: TextStream = outer.mode === 'text' ? outer.stdout : { write: () => true };
  return createOutput({ stdout: stream, stderr: stream }, { ...outer, mode: 'text', progress: outer.progress && outer.mode === 'text' });
}

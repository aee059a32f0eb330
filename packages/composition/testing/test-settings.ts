import { resolveSettings, type Settings } from '../src/settings.ts';

/** Settings of a process that sees nothing but what the test says. */
export function testSettings(stateDir: string, rest: Partial<Settings> = {}): Settings {
  return { ...resolveSettings({ stateDir, cache: false }, { env: {}, cwd: stateDir, isRoot: false }), ...rest };
}

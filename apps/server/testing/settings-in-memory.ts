import type { ServerSettings, SettingsStore } from '../src/ports/settings-store.ts';

type Roles = Pick<ServerSettings, 'roles' | 'defaultRole'>;

/** Roles for a test; everything else is empty. `set` is what a settings file that somebody edits would do. */
export function rolesInMemory(initial: Roles): Pick<SettingsStore, 'current' | 'setRole' | 'onChange'> & { set(roles: Partial<Roles>): void } {
  const listeners = new Set<(settings: ServerSettings) => void>();
  const none = { policies: [], backupPolicies: [], snapshotPolicies: [], repositories: [], notifications: [], caps: {} };
  let current = { ...none, ...initial } as unknown as ServerSettings;
  const set = (roles: Partial<Roles>): void => {
    current = { ...current, ...roles };
    for (const listener of listeners) listener(current);
  };
  return {
    current: () => current,
    set,
    setRole: async (user, role) => set({ roles: { ...current.roles, [user]: role } }),
    onChange: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

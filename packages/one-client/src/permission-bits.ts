import type { PermissionBits } from './methods.ts';
import type { Grant, Permissions } from './model.ts';

/** What chown takes for an owner or group that stays. */
export const UNCHANGED = -1;

/** Nine bits in the order of one.*.chmod: USE, MANAGE, ADMIN of owner, group, others. */
export function permissionBits({ owner, group, other }: Permissions): PermissionBits {
  return [owner, group, other].flatMap(({ use, manage, admin }: Grant) => [use, manage, admin].map((bit) => (bit ? 1 : 0)));
}

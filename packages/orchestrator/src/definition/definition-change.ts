import type { Action, AttributeRule } from './attribute-rule.ts';

/** One attribute in which the new VM's definition differs from the saved one's, or in which it was decided that it does not. */
export interface DefinitionChange {
  /** As in the VM's body: below TEMPLATE, or `USER_TEMPLATE/…`, `BACKUPS/…`. Vectors that may repeat carry their id as saved: `DISK/0/CACHE`, `NIC/1`. */
  readonly path: string;
  readonly action: Action;
  readonly code: string;
  /** Undefined: was not there, is a whole vector, or is a secret. */
  readonly before?: string;
  /** Undefined: is not there, or is a secret. */
  readonly after?: string;
  /** The value is a secret, and is not said. */
  readonly secret?: true;
  /** A sentence for a person. */
  readonly reason: string;
}

/** Names of attributes whose values are nobody's to read. */
const SECRET = /PASSW|SECRET|TOKEN|PRIVATE|CREDENTIAL|CEPH_KEY|CLUSTER_SPEC/;

export class Changes {
  readonly #list: DefinitionChange[] = [];

  get list(): readonly DefinitionChange[] {
    return this.#list;
  }

  add(path: string, rule: Omit<AttributeRule, 'path'>, before: string | undefined, after: string | undefined): void {
    const isSecret = SECRET.test(path);
    const values = isSecret ? { secret: true as const } : { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
    this.#list.push({ path, action: rule.action, code: rule.code, ...values, reason: rule.why });
  }

  /** Takes back what was said of everything below a path. */
  drop(path: string): void {
    for (let at = this.#list.length - 1; at >= 0; at--) if (this.#list[at]?.path.startsWith(`${path}/`) === true) this.#list.splice(at, 1);
  }

  /** In place of what was said of that path before. */
  set(path: string, rule: Omit<AttributeRule, 'path'>, before: string | undefined, after: string | undefined): void {
    const at = this.#list.findIndex((change) => change.path === path);
    if (at >= 0) this.#list.splice(at, 1);
    this.add(path, rule, before, after);
  }
}

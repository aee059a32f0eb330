import { z } from 'zod';
import { type Operation, operationSchema } from '../model/world-schema.ts';

const counted = {
  count: z.number().int().positive().default(1),
  /** So many that match go by before it. */
  skip: z.number().int().nonnegative().default(0),
};
const method = z.string();
const params = z.array(z.union([z.string(), z.number(), z.boolean()]));

/** A fault for the next `count` calls of a method (`*`: any), or for the next operations of a kind. */
export const faultRuleSchema = z.discriminatedUnion('fault', [
  /** oned's refusal, without executing. */
  z.object({ fault: z.literal('refuse'), method, ...counted, code: z.number().int(), text: z.string() }),
  /** An XML-RPC fault. */
  z.object({ fault: z.literal('xmlrpc-fault'), method, ...counted, code: z.number().int(), text: z.string() }),
  z.object({ fault: z.literal('http-status'), method, ...counted, status: z.number().int() }),
  /** The connection is closed: the call was not executed. */
  z.object({ fault: z.literal('drop-before'), method, ...counted }),
  /** The connection is closed without an answer: the call was executed. */
  z.object({ fault: z.literal('drop-after'), method, ...counted }),
  /** No answer, the connection stays open; executed or not. */
  z.object({ fault: z.literal('hang'), method, ...counted, execute: z.boolean().default(false) }),
  /** A slow answer: so many ms before the call is executed, or after that before it is answered. */
  z.object({ fault: z.literal('delay'), method, ...counted, ms: z.number().nonnegative(), when: z.enum(['before', 'after']).default('before') }),
  /** An answer of that many bytes. */
  z.object({ fault: z.literal('huge-answer'), method, ...counted, bytes: z.number().int().positive() }),
  /** The answer stops in the middle of its XML. */
  z.object({ fault: z.literal('truncate'), method, ...counted }),
  /** The body inside a well-formed answer stops in the middle. */
  z.object({ fault: z.literal('truncate-body'), method, ...counted }),
  /**
   * Somebody else, as oneadmin, makes these calls right before the caller's call is executed, right after it was, or when all it started is
   * `done`, in any case before the caller is answered. `settle`: what they started has ended before anything goes on. Their refusals are their affair.
   */
  z.object({
    fault: z.literal('foreign'),
    method,
    ...counted,
    when: z.enum(['before', 'after', 'done']).default('before'),
    calls: z.array(z.object({ method, params })).min(1),
    settle: z.boolean().default(true),
  }),
  /** The call is accepted, then the driver fails: before it did anything, half-way, or when all is done. `stuck`: it never answers. */
  z.object({
    fault: z.literal('driver'),
    operation: operationSchema.shape.kind,
    ...counted,
    /** Only of that VM, or that image. */
    vm: z.number().int().optional(),
    image: z.number().int().optional(),
    text: z.string().default('Command failed: injected'),
    /** `mkfs`, of disksaveas: the datastore driver fails, before the transfer. */
    phase: z.enum(['before', 'half', 'after', 'mkfs']).default('before'),
    stuck: z.boolean().default(false),
  }),
  /** `virsh blockcopy` fails: the script falls back on freezing or suspending the guest for the whole copy. */
  z.object({ fault: z.literal('block-copy'), ...counted }),
  /** The next hot-attached device: another size, another serial, or attached without the guest's ever noticing. */
  z.object({
    fault: z.literal('device'),
    ...counted,
    sizeBytes: z.number().int().nonnegative().optional(),
    serial: z.string().optional(),
    unseen: z.boolean().default(false),
  }),
]);

export type FaultRule = z.input<typeof faultRuleSchema>;
type Rule = z.output<typeof faultRuleSchema>;
export type ForeignAct = Extract<Rule, { readonly fault: 'foreign' }>;
type DriverFault = Extract<Rule, { readonly fault: 'driver' }>;
export type DeviceFault = Extract<Rule, { readonly fault: 'device' }>;
export type CallFault = Exclude<Extract<Rule, { readonly method: string }>, ForeignAct>;

/** The rules in force, oldest first; each is used up. */
export class Faults {
  #rules: Rule[] = [];

  inject(rule: FaultRule): void {
    this.#rules.push({ ...faultRuleSchema.parse(rule) });
  }

  clear(): void {
    this.#rules = [];
  }

  takeForCall(calledMethod: string): CallFault | undefined {
    return this.#take((rule): rule is CallFault => 'method' in rule && rule.fault !== 'foreign' && isMeant(rule, calledMethod));
  }

  takeForeign(calledMethod: string): ForeignAct | undefined {
    return this.#take((rule): rule is ForeignAct => rule.fault === 'foreign' && isMeant(rule, calledMethod));
  }

  takeForDriver(operation: Pick<Operation, 'kind' | 'vm' | 'image'>): DriverFault | undefined {
    return this.#take(
      (rule): rule is DriverFault =>
        rule.fault === 'driver' &&
        rule.operation === operation.kind &&
        (rule.vm === undefined || rule.vm === operation.vm) &&
        (rule.image === undefined || rule.image === operation.image),
    );
  }

  takeForBlockCopy(): boolean {
    return this.#take((rule): rule is Extract<Rule, { readonly fault: 'block-copy' }> => rule.fault === 'block-copy') !== undefined;
  }

  takeForDevice(): DeviceFault | undefined {
    return this.#take((rule): rule is DeviceFault => rule.fault === 'device');
  }

  #take<T extends Rule>(matches: (rule: Rule) => rule is T): T | undefined {
    for (const rule of this.#rules) {
      if (!matches(rule)) continue;
      if (rule.skip > 0) {
        rule.skip--;
        continue;
      }
      rule.count--;
      if (rule.count === 0) this.#rules = this.#rules.filter((other) => other !== rule);
      return rule;
    }
    return undefined;
  }
}

const isMeant = (rule: { readonly method: string }, calledMethod: string): boolean => rule.method === calledMethod || rule.method === '*';

import { z } from 'zod';
import { operationSchema } from '../model/world-schema.ts';

const count = z.number().int().positive().default(1);
const method = z.string();

/** A fault for the next `count` calls of a method (`*`: any), or for the next operations of a kind. */
export const faultRuleSchema = z.discriminatedUnion('fault', [
  /** oned's refusal, without executing. */
  z.object({ fault: z.literal('refuse'), method, count, code: z.number().int(), text: z.string() }),
  /** An XML-RPC fault. */
  z.object({ fault: z.literal('xmlrpc-fault'), method, count, code: z.number().int(), text: z.string() }),
  z.object({ fault: z.literal('http-status'), method, count, status: z.number().int() }),
  /** The connection is closed: the call was not executed. */
  z.object({ fault: z.literal('drop-before'), method, count }),
  /** The connection is closed without an answer: the call was executed. */
  z.object({ fault: z.literal('drop-after'), method, count }),
  /** No answer, the connection stays open; executed or not. */
  z.object({ fault: z.literal('hang'), method, count, execute: z.boolean().default(false) }),
  /** An answer of that many bytes. */
  z.object({ fault: z.literal('huge-answer'), method, count, bytes: z.number().int().positive() }),
  /** The answer stops in the middle of its XML. */
  z.object({ fault: z.literal('truncate'), method, count }),
  /** The body inside a well-formed answer stops in the middle. */
  z.object({ fault: z.literal('truncate-body'), method, count }),
  /** The call is accepted, then the driver fails. */
  z.object({ fault: z.literal('driver'), operation: operationSchema.shape.kind, count, text: z.string().default('Command failed: injected') }),
  /** The next hot-attached device: another size, another serial. */
  z.object({ fault: z.literal('device'), count, sizeBytes: z.number().int().nonnegative().optional(), serial: z.string().optional() }),
]);

export type FaultRule = z.input<typeof faultRuleSchema>;
type Rule = z.output<typeof faultRuleSchema>;
export type CallFault = Exclude<Rule, { readonly fault: 'driver' | 'device' }>;
export type DeviceFault = Extract<Rule, { readonly fault: 'device' }>;

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
    return this.#take((rule): rule is CallFault => 'method' in rule && (rule.method === calledMethod || rule.method === '*'));
  }

  takeForDriver(kind: string): string | undefined {
    return this.#take((rule): rule is Extract<Rule, { readonly fault: 'driver' }> => rule.fault === 'driver' && rule.operation === kind)?.text;
  }

  takeForDevice(): DeviceFault | undefined {
    return this.#take((rule): rule is DeviceFault => rule.fault === 'device');
  }

  #take<T extends Rule>(matches: (rule: Rule) => rule is T): T | undefined {
    const rule = this.#rules.find(matches);
    if (!rule) return undefined;
    rule.count--;
    if (rule.count === 0) this.#rules = this.#rules.filter((other) => other !== rule);
    return rule;
  }
}

import { z } from 'zod';
import { OneError, onedRefusal } from './errors.ts';
import { scrub } from './scrub.ts';
import type { TransportLayer, XmlRpcCall, XmlRpcValue } from './transport.ts';

const integer = z.union([
  z.int(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
]);

/** `[true, value, 0]` (OpenNebula src/rm/Request.cc, success_response). */
const success = z.tuple([z.literal(true), z.union([z.string(), z.number(), z.boolean()])], z.unknown());
/** `[false, message, code, object id or -1, <i8> replication index]`. */
const failure = z.tuple([z.literal(false), z.string(), integer, integer.optional()], z.unknown());

/** Turns oned's answer into its value, and a refusal into the OneError it stands for. Sits under `withRetry`, which judges that error. */
export const unwrapAnswer: TransportLayer = (next) => async (call, options) => readAnswer(call, await next(call, options));

function readAnswer(call: XmlRpcCall, answer: XmlRpcValue): XmlRpcValue {
  const accepted = success.safeParse(answer);
  if (accepted.success) return accepted.data[1];
  const refused = failure.safeParse(answer);
  if (!refused.success) {
    throw new OneError('ONE_RESPONSE_INVALID', `${call.method}: the answer is neither oned's success nor its failure`, {
      details: { method: call.method, executed: 'unknown' },
    });
  }
  const [, message, oneCode, objectId] = refused.data;
  const onedMessage = scrub(message, call.session);
  throw onedRefusal({ method: call.method, oneCode, onedMessage, objectId: objectId === undefined || objectId < 0 ? undefined : objectId });
}

import { z } from 'zod';
import { NOTIFICATION_CONDITIONS } from '../ports/notification-channel.ts';

/** One thing that is told. A message to a channel holds one or many. */
export const entrySchema = z.object({
  id: z.string(),
  condition: z.enum(NOTIFICATION_CONDITIONS),
  /** The end of what was told before. */
  over: z.boolean(),
  at: z.number(),
  /** Of what: `VM web (17)`, `repository main`. One line. */
  subject: z.string(),
  /** One line. */
  text: z.string(),
  code: z.string().optional(),
  hint: z.string().optional(),
  runId: z.string().optional(),
  vmId: z.number().optional(),
});
export type Entry = z.output<typeof entrySchema>;

const MAX_CHARS = 500;

/** Names and messages come from guests, users and other programs: none of them makes a line, a header or a control sequence of its own. */
export function oneLine(text: string): string {
  // Cc: controls; Cf: among them what turns the direction of text around; Zl, Zp: line ends that only some programs know.
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > MAX_CHARS ? `${line.slice(0, MAX_CHARS - 1)}…` : line;
}

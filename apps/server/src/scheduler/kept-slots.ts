import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, type Logger, serializeError } from '@onevault/base';
import { replaceDurably } from '@onevault/orchestrator';
import { z } from 'zod';
import { type HandledSlots, type SlotKey, slotKeyText } from './handled-slots.ts';

const file = z.object({
  version: z.literal(1),
  schedules: z.array(z.object({ policy: z.string(), schedule: z.string(), handled: z.iso.datetime() })),
});

/**
 * The same slots, and a copy of them in a file of the state directory, for the day when the database is lost. The database decides; a file that cannot be written keeps
 * nothing from running.
 */
export function keptSlots(slots: HandledSlots, path: string, logger: Logger): HandledSlots {
  let written: string | undefined;
  const keep = async (handled: ReadonlyMap<string, number>): Promise<void> => {
    const text = textOf(handled);
    if (text === written) return;
    try {
      await replaceDurably(dirname(path), path, text);
      written = text;
    } catch (error) {
      logger.warn({ path, error: serializeError(error) }, 'which schedules were dealt with cannot be kept beside the database');
    }
  };
  const all = async (): Promise<ReadonlyMap<string, number>> => {
    const handled = await slots.all();
    await keep(handled);
    return handled;
  };
  return {
    all,
    remember: async (...slot) => {
      await slots.remember(...slot);
      await all();
    },
    keepOnly: async (keys) => {
      await slots.keepOnly(keys);
      await all();
    },
  };
}

/** Undefined where there is none: of a server that never had a schedule, or of a version before. One that cannot be read is said, and counts as none. */
export async function readKeptSlots(path: string, logger: Logger): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const { schedules } = file.parse(JSON.parse(await readFile(path, 'utf8')));
    return new Map(schedules.map(({ handled, ...key }) => [slotKeyText(key), Date.parse(handled)]));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT')
      logger.warn({ path, error: serializeError(error) }, 'which schedules were dealt with cannot be read from beside the database');
    return undefined;
  }
}

function textOf(handled: ReadonlyMap<string, number>): string {
  const schedules = [...handled].map(([text, handledMs]) => ({ ...keyOf(text), handled: new Date(handledMs).toISOString() }));
  schedules.sort((a, b) => (slotKeyText(a) < slotKeyText(b) ? -1 : 1));
  return `${JSON.stringify({ version: 1, schedules }, undefined, 2)}\n`;
}

function keyOf(text: string): SlotKey {
  const at = text.indexOf('\n');
  return { policy: text.slice(0, at), schedule: text.slice(at + 1) };
}

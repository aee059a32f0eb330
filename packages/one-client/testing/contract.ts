import { afterAll, beforeAll, describe } from 'vitest';
import { attachmentCases } from './contract/attachments.ts';
import { captureCases } from './contract/captures.ts';
import { imageCases } from './contract/images.ts';
import { powerCases } from './contract/power.ts';
import { readingCases } from './contract/reading.ts';
import { refusalCases } from './contract/refusals.ts';
import { templateCases } from './contract/templates.ts';
import { Lab } from './lab.ts';
import type { OneCloud } from './one-cloud.ts';

/**
 * The contract of `OneApi`: everything the product relies on, run against every implementation of the other side. It learns the storage drivers of
 * the VM's disks and expects of each what it is known to do. What it makes it takes away again, found by name, also when a case fails.
 */
export function oneApiContract(name: string, openCloud: () => Promise<OneCloud>): void {
  describe(`OneApi contract: ${name}`, () => {
    let cloud: OneCloud | undefined;
    let opened: Lab | undefined;
    const lab = (): Lab => {
      if (!opened) throw new Error('the cloud of this contract could not be opened');
      return opened;
    };

    beforeAll(async () => {
      cloud = await openCloud();
      opened = await Lab.open(cloud);
    }, SLOW.timeout);
    afterAll(async () => {
      try {
        await opened?.[Symbol.asyncDispose]();
      } finally {
        await cloud?.[Symbol.asyncDispose]();
      }
    }, SLOW.timeout);

    readingCases(lab);
    refusalCases(lab);
    imageCases(lab, SLOW);
    templateCases(lab, SLOW);
    attachmentCases(lab, SLOW);
    captureCases(lab, SLOW);
    powerCases(lab, SLOW);
  });
}

/** Of one case: on a real cloud it waits for copies of whole disks. */
const SLOW = { timeout: 1_800_000 } as const;

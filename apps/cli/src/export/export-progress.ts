import type { CommandContext } from '../command-context.ts';
import { Rate } from '../render/disk-rates.ts';
import { progressView } from '../render/progress-view.ts';

export interface ExportStep {
  readonly disk: string;
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** Bars or lines for the disks of an export, one after another. */
export function exportProgress({ output, clock }: CommandContext): Disposable & { show(step: ExportStep): void } {
  const view = progressView(output, clock);
  let stretch = '';
  let rate = new Rate();
  return {
    show({ disk, phase, doneBytes, totalBytes }) {
      if (stretch !== `${disk} ${phase}`) rate = new Rate();
      stretch = `${disk} ${phase}`;
      const bytesPerSecond = rate.at(clock.monotonicMs(), doneBytes);
      view.show({ label: `disk ${disk}`, phase, doneBytes, totalBytes, bytesPerSecond, changedBytes: undefined, storedBytes: undefined });
    },
    [Symbol.dispose]: () => view[Symbol.dispose](),
  };
}

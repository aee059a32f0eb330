import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** What a reader needs to compare the figures with those of another day. */
export function machineFacts() {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return { cpus: `${availableParallelism()} x ${model}`, memoryBytes: totalmem(), kernel: release(), node: process.versions.node };
}

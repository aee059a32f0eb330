import { open } from 'node:fs/promises';
import { Scope } from '@onevault/base';
import { ExportError, invalidFormat, mismatch, readFailure } from './errors.ts';
import type { ExportDevice, ExportFormat, ExportOptions, ExportReport, ExportTarget } from './export-api.ts';
import { FileWriter } from './file-writer.ts';
import { newFile } from './new-file.ts';
import { type Geometry, geometryOf } from './qcow2/geometry.ts';
import { Qcow2Image } from './qcow2/read-qcow2.ts';
import { streamQcow2 } from './qcow2/stream-qcow2.ts';
import { writeQcow2File } from './qcow2/write-qcow2.ts';
import { writeDevice, writeRawFile, writeRawStream } from './raw/write-raw.ts';
import { type ReadBack, rawFile, verifyAgainst } from './read-back.ts';
import { type DamagedRange, type ReadRangeOptions, readRange, resolveRange, signalOf } from './read-range.ts';
import type { ByteRange, DiskRun, ExportSource } from './source.ts';
import { StreamSink } from './stream-sink.ts';

/** One export, as every target needs it. */
interface Job {
  readonly source: ExportSource;
  readonly range: ByteRange;
  readonly format: ExportFormat;
  readonly geometry: Geometry | undefined;
  readonly options: ExportOptions;
  readonly read: ReadRangeOptions;
}

/**
 * Writes a disk, or a range of it, as raw or qcow2. A file appears under its name when it is whole and on the disk, and never otherwise: an error or abort leaves
 * nothing. Throws ExportError, what the source throws where it cannot be read, and the signal's reason.
 */
export async function exportDisk(source: ExportSource, target: ExportTarget, options: ExportOptions = {}): Promise<ExportReport> {
  options.signal?.throwIfAborted();
  const format = options.format ?? { kind: 'raw' };
  const range = resolveRange(source, options.range);
  const geometry = format.kind === 'qcow2' ? geometryOf(range.length, format.clusterBytes) : undefined;
  requirePossible(format, target, options, range);
  const damaged: DamagedRange[] = [];
  const read: ReadRangeOptions = {
    ...signalOf(options),
    ...(options.damageOf && { damageOf: options.damageOf, onDamage: (damage) => addDamage(damaged, damage) }),
  };
  const job: Job = { source, range, format, geometry, options, read };
  const writtenBytes = await writeTo(job, target);
  return { format: format.kind, sizeBytes: geometry?.sizeBytes ?? range.length, writtenBytes, damaged, verified: options.verify === true };
}

function requirePossible(format: ExportFormat, target: ExportTarget, { verify }: ExportOptions, range: ByteRange): void {
  if (target.kind === 'stream' && verify) throw invalidFormat('a stream cannot be read back', 'export to a file to verify it');
  if (target.kind === 'stream' && format.kind === 'qcow2' && format.compression !== undefined)
    throw invalidFormat(
      'a compressed qcow2 image cannot be streamed: its tables come before the data and say how long each compressed cluster is',
      'export to a file, or without compression',
    );
  if (target.kind === 'file' && target.preallocate && format.kind !== 'raw') throw invalidFormat('only raw files are preallocated', 'leave it out');
  if (target.kind !== 'device') return;
  if (format.kind !== 'raw') throw invalidFormat('a block device gets the bytes of the disk, not an image of them', 'format raw');
  if (target.device.sizeBytes < range.length) throw tooSmall(target.device, range.length);
}

function tooSmall({ path, sizeBytes }: ExportDevice, wanted: number): ExportError {
  return new ExportError({
    code: 'EXPORT_DEVICE_SMALL',
    message: `${path} has ${sizeBytes} bytes, the disk ${wanted}; nothing was written`,
    details: { path, length: wanted },
    hint: 'use a device that is at least as large',
  });
}

async function writeTo(job: Job, target: ExportTarget): Promise<number> {
  switch (target.kind) {
    case 'file':
      return await toFile(job, target);
    case 'stream':
      return await toStream(job, new StreamSink(target.stream));
    case 'device':
      return await toDevice(job, target.device);
  }
}

async function toFile(job: Job, target: Extract<ExportTarget, { kind: 'file' }>): Promise<number> {
  const { geometry, format, options } = job;
  await using file = await newFile(target.path, { replace: target.replace ?? false });
  await using scope = new Scope();
  const writer = scope.use(await FileWriter.create(file.path));
  const call = signalOf(options);
  const compression = format.kind === 'qcow2' ? format.compression : undefined;
  const written = geometry
    ? await writeQcow2File(runsOf(job, 'write'), writer, { geometry, compression }, call)
    : await writeRawFile(runsOf(job, 'write'), writer, { sizeBytes: job.range.length, preallocate: target.preallocate ?? false }, call);
  if (options.verify) await verifyFile(job, file.path, target.path);
  options.signal?.throwIfAborted();
  await file.publish();
  return written;
}

async function verifyFile(job: Job, path: string, name: string): Promise<void> {
  await using scope = new Scope();
  const file = await open(path, 'r').catch((error: unknown) => {
    throw readFailure(name, error);
  });
  scope.defer(() => file.close());
  const exported = await (job.geometry ? Qcow2Image.open(file) : rawFile(file)).catch((error: unknown) => {
    throw readFailure(name, error);
  });
  await verify(job, exported, job.geometry?.sizeBytes ?? job.range.length, name);
}

async function verify(job: Job, exported: ReadBack, sizeBytes: number, name: string): Promise<void> {
  if (exported.sizeBytes !== sizeBytes)
    throw mismatch(name, { offset: Math.min(exported.sizeBytes, sizeBytes), length: Math.abs(exported.sizeBytes - sizeBytes) });
  await verifyAgainst(runsOf(job, 'verify'), exported, name, signalOf(job.options));
}

async function toStream(job: Job, sink: StreamSink): Promise<number> {
  const { geometry, source, range, read } = job;
  if (!geometry) return await writeRawStream(runsOf(job, 'write'), sink, signalOf(job.options));
  return await streamQcow2(source, range, { sink, geometry, onRun: (doneBytes) => report(job, 'write', doneBytes) }, read);
}

async function toDevice(job: Job, device: ExportDevice): Promise<number> {
  const written = await writeDevice(runsOf(job, 'write'), device, signalOf(job.options));
  if (job.options.verify) await verifyAgainst(runsOf(job, 'verify'), device, device.path, signalOf(job.options));
  return written;
}

/** The range in order; damage is noted the first time only. */
async function* runsOf(job: Job, phase: 'write' | 'verify'): AsyncGenerator<DiskRun, void> {
  const { onDamage: _, ...silent } = job.read;
  for await (const run of readRange(job.source, job.range, phase === 'write' ? job.read : silent)) {
    yield run;
    report(job, phase, run.offset + (run.kind === 'zero' ? run.length : run.data.length));
  }
}

function report({ options, range }: Job, phase: 'write' | 'verify', doneBytes: number): void {
  options.onProgress?.({ phase, doneBytes, totalBytes: range.length });
}

/** What adjoins is one range; the error is the first one's. */
function addDamage(damaged: DamagedRange[], damage: DamagedRange): void {
  const last = damaged.at(-1);
  if (last && last.offset + last.length === damage.offset) damaged[damaged.length - 1] = { ...last, length: last.length + damage.length };
  else damaged.push(damage);
}

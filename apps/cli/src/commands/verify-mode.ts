import type { VerifyMode } from '@onevault/backup-format';
import { InvalidArgumentError } from 'commander';

const SAMPLE = /^sample=(\d{1,3}(?:\.\d{1,6})?)%?$/;

/** `structure`, `all`, `sample=5%`. */
export function parseVerifyMode(text: string): VerifyMode {
  if (text === 'structure' || text === 'all') return text;
  const percent = Number(SAMPLE.exec(text)?.[1]);
  if (percent > 0 && percent <= 100) return { samplePercent: percent };
  throw new InvalidArgumentError('give structure, sample=<percent>% or all');
}

/** 8 hex digits, as a sample prints them. */
export function parseSeed(text: string): string {
  if (/^[0-9a-f]{8}$/.test(text)) return text;
  throw new InvalidArgumentError('a seed is 8 hex digits, as a sample prints them');
}

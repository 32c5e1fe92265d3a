import { z } from 'zod';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { Progress } from '../../core/report/progress.ts';
import { EXIT } from '../exit-code.ts';
import { parseFlags, type RawOptions, yesFlag } from './flags.ts';

/** When a request that has ended counts as a success. */
export interface SuccessRule {
  /** Thousandths of a percent of all targets that must be warm; null: every one. */
  readonly minimum: number | null;
  /** No POP may be left out. */
  readonly strict: boolean;
}

const PERCENT = /^(\d{1,3})(?:\.(\d{1,3}))?%?$/;
const HUNDRED_PERCENT = 100_000;

const percentFlag = z.string().transform((text, context): number => {
  const [, whole = '', part = ''] = PERCENT.exec(text.trim()) ?? [];
  const thousandths = Number(whole) * 1000 + Number(part.padEnd(3, '0'));
  if (whole !== '' && thousandths > 0 && thousandths <= HUNDRED_PERCENT) return thousandths;
  context.addIssue({ code: 'custom', message: 'write a percentage above 0 and up to 100, as in 99% or 99.5%' });
  return z.NEVER;
});

const FLAGS = { minSuccess: percentFlag, strict: yesFlag } as const;

/** Reads `--min-success` and `--strict`; what is wrong with them is added to `faults`. */
export function readSuccessRule(raw: RawOptions, faults: InputFault[], isWaiting = true): SuccessRule {
  const { minSuccess, strict } = parseFlags(FLAGS, raw, faults);
  if (!isWaiting) {
    for (const [flag, value] of [
      ['--min-success', raw['minSuccess']],
      ['--strict', raw['strict']],
    ] as const)
      if (value !== undefined) faults.push(inputFault(flag, '', 'judges how a request ends; add --wait, or leave it out'));
  }
  return { minimum: minSuccess ?? null, strict: strict ?? false };
}

/** Whether more POPs were left out than the rule bears, whatever was warmed at the others. */
function lostTooMany({ skipped_pops: skipped, chosen_pop_count: chosen, lost_places: lost }: Progress, { strict }: SuccessRule): boolean {
  return lost.length > 0 || (strict && skipped.length > 0) || skipped.length * 2 > chosen;
}

/** Whether a request that has ended is what its maker wanted. */
export function isSuccess(progress: Progress, rule: SuccessRule): boolean {
  const { status, failed_count: failed, download_count: warm, total_count: total } = progress;
  if (status !== 'FINISHED' || lostTooMany(progress, rule)) return false;
  return rule.minimum === null ? failed === 0 : warm * HUNDRED_PERCENT >= rule.minimum * total;
}

/** The exit code of a request that has ended. */
export function exitCodeOf(progress: Progress, rule: SuccessRule): number {
  return isSuccess(progress, rule) ? EXIT.ok : EXIT.failed;
}

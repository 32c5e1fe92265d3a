import type { Reason } from '../work/outcome.ts';
import type { Answer } from '../ports/downloader.ts';
import { forbidsStoring } from '../work/judge.ts';

/** What a failed target's row tells beside its reason, in a few words; '': nothing. `whole` is the last whole GET's answer. */
export function causeOf(reason: Reason | '', latest: Answer | null, whole: Answer | null): string {
  if (latest === null) return '';
  if (latest.error !== null || reason.startsWith('status_3')) return latest.cause ?? '';
  switch (reason) {
    case 'wrong_pop':
      return latest.servedBy === '' ? 'no x-amz-cf-pop' : `x-amz-cf-pop: ${latest.servedBy}`;
    case 'not_cached':
      return forbidsStoring(whole?.cacheControl ?? '') ? `cache-control: ${whole?.cacheControl}` : 'never a hit';
    case 'challenged':
      return `x-amzn-waf-action: ${latest.wafAction ?? ''}`;
    case 'error_page':
    case 'generated':
      return `x-cache: ${latest.xCache}`;
    default:
      return '';
  }
}

/** The notes with one more; a cause stays last. */
export function addNote(notes: string, note: string): string {
  const [, before = '', cause = ''] = /^(.*?);?(cause=[^;]*)?$/s.exec(notes) ?? [];
  return [before, note, cause].filter(Boolean).join(';');
}

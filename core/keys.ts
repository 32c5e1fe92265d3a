import type { Slice } from './task.ts';

const partName = (part: number) => `part-${String(part).padStart(5, '0')}.csv`;

/** Keys of a request's objects in the list store. */
export const keys = {
  urls: (requestId: string) => `requests/${requestId}/urls.csv`,
  part: (requestId: string, list: Slice['list'], part: number) => `requests/${requestId}/${list}/${partName(part)}`,
  failedUrls: (requestId: string) => `requests/${requestId}/failed-urls.csv`,
  result: (requestId: string, taskId: string) => `requests/${requestId}/results/${taskId.replaceAll('#', '/')}.csv`,
};

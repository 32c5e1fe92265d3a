import { PrewarmError } from '../errors.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import type { Header, RequestRow } from '../request/request.ts';

/** The name of the request's headers, for its tasks to carry; null: they are in its row. */
export async function findHeadersName(
  { viewerHeaders }: Pick<PipelinePorts, 'viewerHeaders'>,
  { id, spec }: RequestRow,
): Promise<string | null> {
  if (spec.headersApart !== true) return null;
  const name = (await viewerHeaders?.nameOf(id)) ?? null;
  if (name === null) throw new PrewarmError('not_found', `the headers of request ${id} are kept apart, and nothing names them`);
  return name;
}

/** The headers of the request's first variant, which sizing asks with. */
export async function findFirstHeaders(ports: Pick<PipelinePorts, 'viewerHeaders'>, row: RequestRow): Promise<readonly Header[]> {
  const name = await findHeadersName(ports, row);
  if (name === null) return row.spec.variants[0]?.headers ?? [];
  return (await ports.viewerHeaders?.read(name))?.[0] ?? [];
}

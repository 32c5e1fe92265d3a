import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type Answered, ask, type Served } from './served.ts';

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: object }>> }>>;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

export async function readDocument(served: Pick<Served, 'url'>): Promise<OpenApiDocument> {
  return (await ask<OpenApiDocument>(served, '/openapi.json', { key: null })).body;
}

/** Validates answers against the schemas of the document the server itself shows. Throws on what the document does not tell. */
export function createAnswerCheck(
  document: OpenApiDocument,
): (method: string, path: string, answer: Pick<Answered, 'status' | 'body'>) => void {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  const validators = new Map<string, ValidateFunction>();
  return (method, path, { status, body }) => {
    const route = path.split('?')[0] ?? '';
    const content = document.paths[route]?.[method.toLowerCase()]?.responses[String(status)]?.content;
    const schema = content?.['application/json']?.schema;
    if (schema === undefined) throw new Error(`the document has no ${status} of ${method} ${route}`);
    const key = `${method} ${route} ${status}`;
    // Objects are closed here: a field that is not documented is a fault as well.
    const closed = closeObjects({ ...schema, components: document.components }) as object;
    const validate = validators.get(key) ?? ajv.compile(closed);
    validators.set(key, validate);
    if (!validate(body)) throw new Error(`${key}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body).slice(0, 500)}`);
  };
}

function closeObjects(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closeObjects);
  if (typeof schema !== 'object' || schema === null) return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closeObjects(part)]));
  return 'properties' in closed && closed['type'] === 'object' ? { additionalProperties: false, ...closed } : closed;
}

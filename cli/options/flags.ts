import { isIP } from 'node:net';
import { z } from 'zod';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { readWholeNumber } from '../../core/whole-number.ts';

/** Options as commander hands them over: texts, lists of texts, and true. Names are the flags' in camel case. */
export type RawOptions = Readonly<Record<string, unknown>>;

/** An IP address and a port of it. */
export interface Socket {
  readonly ip: string;
  readonly port: number;
}

/** The flag as the user writes it: `dnsServer` is `--dns-server`. */
export function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A whole number, written as text. */
export function wholeNumber(from: number, to: number): z.ZodType<number> {
  const message = `write a whole number from ${from} to ${to}`;
  return z.string().transform((text, context) => {
    const number = readWholeNumber(text, from, to);
    if (number !== null) return number;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

export const portFlag = wholeNumber(1, 65_535);

export const yesFlag = z.literal(true).optional();

/** `192.0.2.1:53` or `[2001:db8::1]:53`. */
export const socketFlag: z.ZodType<Socket> = z.string().transform((text, context): Socket => {
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text);
  const ip = match?.groups?.['six'] ?? match?.groups?.['four'] ?? '';
  const port = Number(match?.groups?.['port']);
  const fits = isIP(ip) === (match?.groups?.['six'] === undefined ? 4 : 6);
  if (fits && port >= 1 && port <= 65_535) return { ip, port };
  context.addIssue({ code: 'custom', message: 'write an IP address and a port: 127.0.0.1:5353 or [::1]:5353' });
  return z.NEVER;
});

/** `http://127.0.0.1:8080`, for services of one's own. */
export const endpointFlag: z.ZodType<string> = z.string().refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '' && url.password === '';
}, 'write an http or https URL without credentials: http://127.0.0.1:8080');

/** A path or another text that must not be empty: `what` says which. */
export function textFlag(what: string): z.ZodType<string> {
  return z.string().refine((text) => text.trim() !== '', `is empty; write ${what}, or leave the option out`);
}

/**
 * Reads each option by itself, so that one that is wrong does not hide another. Options that are absent or wrong are
 * undefined in what is returned; what is wrong has been added to `faults`.
 */
export function parseFlags<Shape extends Readonly<Record<string, z.ZodType>>>(
  shape: Shape,
  raw: RawOptions,
  faults: InputFault[],
): { readonly [Option in keyof Shape]: z.output<Shape[Option]> | undefined } {
  const values: Record<string, unknown> = {};
  for (const [option, schema] of Object.entries(shape)) {
    if (raw[option] === undefined) continue;
    const parsed = schema.safeParse(raw[option]);
    if (parsed.success) values[option] = parsed.data;
    else faults.push(inputFault(flagOf(option), raw[option], parsed.error.issues[0]?.message ?? 'is not what this option takes'));
  }
  return values as { readonly [Option in keyof Shape]: z.output<Shape[Option]> | undefined };
}

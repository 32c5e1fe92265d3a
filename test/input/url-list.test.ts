import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUrlList, type UrlListFigures } from '../../cli/url-list.ts';
import { createUrlIntake } from '../../core/url-intake.ts';
import { settledMemory } from './settled-memory.ts';

const A = 'https://www.example.com/a';
const B = 'https://www.example.com/b';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(content: string | Uint8Array, size = 65_536): Promise<{ urls: string[]; figures: UrlListFigures }> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const list = readUrlList(chunksOf(bytes, size), { field: 'urls.csv', intake: createUrlIntake(null) });
  const urls: string[] = [];
  for await (const batch of list.batches) urls.push(...batch);
  return { urls, figures: list.figures() };
}

describe('a list of URLs', () => {
  it.each([
    ['one URL a line', `${A}\n${B}\n`],
    ['no final line end', `${A}\n${B}`],
    ['CRLF', `${A}\r\n${B}\r\n`],
    ['lone CR', `${A}\r${B}\r`],
    ['mixed line ends', `${A}\r${B}\n\r\n`],
    ['blank and comment lines', `\n# from the CMS\n${A}\n\n   \n#x\n${B}\n`],
    ['a byte order mark', `\ufeff${A}\n${B}\n`],
    ['quoted lines', `"${A}"\n"${B}"\n`],
    ['a column of its own', `url\n${A}\n${B}\n`],
    ['a byte order mark before the header', `\ufeffURL\r\n${A}\r\n${B}\r\n`],
    ['CSV with other columns', `id,Url ,title\n1,${A},one\n2,${B},two\n`],
    ['quoted fields with delimiters, quotes and line ends', `"a, b",url\n"x,y",${A}\n"he said ""no""\nand, left","${B}"\n`],
    ['semicolons', `url;size\n${A};1\n${B};2\n`],
    ['tabs', `name\turl\nx\t${A}\ny\t${B}\n`],
    ['empty rows and short rows', `url,title,size\n${A}\n,,\n\n${B},b,\n`],
    ['a comment before the header', `# export\nurl,x\n${A},1\n${B},2`],
  ])('is read with %s, however its bytes are cut', async (_, content) => {
    for (const size of [1, 2, 7, 65_536]) {
      const { urls, figures } = await read(content, size);
      expect(urls).toEqual([A, B]);
      expect(figures).toEqual({ count: 2, duplicates: 0, faultCount: 0, faults: [], unusable: false });
    }
  });

  it('keeps the commas of URLs that stand alone on their line', async () => {
    const url = 'https://www.example.com/w_100,h_50/x?y=1,2';
    expect((await read(`url\n${url}\n`)).urls).toEqual([url]);
    expect((await read(`${url}\n"${url}"\n`)).urls).toEqual([url]);
    expect((await read(`x,url\n1,"${url}"\n`)).urls).toEqual([url]);
  });

  it('has its URLs normalised and taken once', async () => {
    const { urls, figures } = await read(`${A}#top\nHTTPS://WWW.EXAMPLE.COM:443/a\n${B}\n${A}\n`);
    expect(urls).toEqual([A, B]);
    expect(figures).toMatchObject({ count: 2, duplicates: 2 });
  });

  it.each([
    ['nothing at all', '', undefined, /is empty; write one URL a line/],
    ['only comments', '# nothing\n\n', undefined, /holds no URL/],
    ['only a header', 'url,title\n', undefined, /holds no URL/],
    ['no url column', `link,title\n${A},x\n`, 1, /name the column url/],
    ['UTF-16', Buffer.from(`\ufeff${A}\n`, 'utf16le'), undefined, /save it as UTF-8/],
    ['UTF-16 without a mark', Buffer.from(`${A}\n`, 'utf16le'), undefined, /save it as UTF-8/],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]), undefined, /unpack it first/],
    ['a workbook', Buffer.from('PK\u0003\u0004xlsx'), undefined, /CSV UTF-8/],
  ])('is refused as a whole with %s', async (_, content, line, remedy) => {
    for (const size of [1, 65_536]) {
      const { urls, figures } = await read(content, size);
      expect(urls).toEqual([]);
      expect(figures).toMatchObject({ count: 0, faultCount: 1, unusable: true });
      expect(figures.faults[0]?.field).toBe('urls.csv');
      expect(figures.faults[0]?.line).toBe(line);
      expect(figures.faults[0]?.message).toMatch(remedy);
    }
  });

  it.each([
    ['a relative URL', `${A}\n/b\n${B}\n`, 2, '/b', /https:\/\/www/],
    ['a first line without a scheme', `www.example.com/x\n${A}\n${B}\n`, 1, 'www.example.com/x', /write https:/],
    ['a first line that is a word', `nonsense\n${A}\n${B}\n`, 1, 'nonsense', /one URL a line/],
    ['another scheme', `${A}\nftp://x.example/\n${B}`, 2, 'ftp://x.example/', /http and https/],
    ['a NUL', `${A}\n# c\nhttps://x.example/\u0000\n${B}`, 3, 'https://x.example/\u0000', /not in UTF-8/],
    [
      'no UTF-8',
      Buffer.concat([Buffer.from(`${A}\nhttps://x.example/`), Buffer.from([0xe4, 0x0a]), Buffer.from(B)]),
      2,
      null,
      /valid UTF-8/,
    ],
    ['a very long line', `${A}\r\nhttps://x.example/${'y'.repeat(200_000)}\r\n${B}`, 2, '', /65536 characters/],
    ['a very long last line', `${A}\n${B}\nhttps://x.example/${'y'.repeat(200_000)}`, 3, '', /65536 characters/],
    ['an empty url cell', `id,url\n1,${A}\n2,\n3,${B}\n`, 3, '2 | ', /url column/],
    ['an unquoted delimiter', `id,url,t\n1,${A},x\n2,https://x.example/a,b,c\n3,${B},x\n`, 3, null, /quote fields/],
    ['a stray quote', `id,url\n1,${A}\n2"3"4,x\n3,${B}\n`, 3, '2"3"4,x', /double the quotes/],
    ['a quote that is not closed', `id,url\n1,${A}\n2,"https://x.example/\n3,${B}\n`, 3, '2,"https://x.example/', /close it/],
    ['a bad URL after a field of two lines', `id,url\n"1\n1",${A}\n2,nope\n3,${B}\n`, 4, 'nope', /https:/],
  ])('has its bad line told and passed over: %s', async (_, content, line, value, remedy) => {
    for (const size of [3, 65_536]) {
      const { urls, figures } = await read(content, size);
      expect(urls).toEqual([A, B]);
      expect(figures).toMatchObject({ count: 2, faultCount: 1, unusable: false });
      expect(figures.faults[0]).toMatchObject({ field: 'urls.csv', line });
      expect(figures.faults[0]?.value).toContain(value ?? '');
      expect(figures.faults[0]?.message).toMatch(remedy);
    }
  });

  it('goes on after a quote that stays open for many lines, and loses only its line', async () => {
    const rows = Array.from({ length: 500 }, (_, at) => `${at},https://www.example.com/${at}\n`);
    const { urls, figures } = await read(`id,url\n1,"https://x.example/\n${rows.join('')}`, 1000);
    expect(urls).toHaveLength(500);
    expect(figures.faults).toMatchObject([{ line: 2 }]);
  });

  it('has all faults counted and the first 20 told, in order', async () => {
    const { figures } = await read(`${A}\n${'nope\n'.repeat(1000)}`);
    expect(figures).toMatchObject({ count: 1, faultCount: 1000 });
    expect(figures.faults.map(({ line }) => line)).toEqual(Array.from({ length: 20 }, (_, at) => at + 2));
  });

  it('may be anything at all without an exception, and cutting it differently changes nothing', async () => {
    const piece = fc.oneof(fc.constantFrom('\n', '\r', '\r\n', ',', '"', ';', '\t', 'url', A, B, '#', '\ufeff', 'id,url\n'), fc.string());
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(piece, { maxLength: 15 }).map((parts) => new Uint8Array(Buffer.from(parts.join('')))),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.integer({ min: 1, max: 9 }), async (content, size) => {
        const [cut, whole] = [await read(content, size), await read(content)];
        expect(cut).toEqual(whole);
        expect(whole.urls).toHaveLength(whole.figures.count);
        expect(whole.figures.count + whole.figures.faultCount + whole.figures.duplicates).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['plain', 'csv'])('of 300,000 lines is read in flat memory and a few seconds: %s', async (shape) => {
    const rows = 300_000;
    async function* source() {
      if (shape === 'csv') yield Buffer.from('id,url,title\n');
      for (let at = 0; at < rows; at += 1000) {
        let text = '';
        for (let row = at; row < at + 1000; row++) {
          const url = `https://www.example.com/some/folder/of/pictures/${row}.jpg?width=1024`;
          text += shape === 'csv' ? `${row},${url},"a ""title"""\n` : `${url}\n`;
        }
        yield Buffer.from(text);
      }
    }
    const started = performance.now();
    const list = readUrlList(source(), { field: 'urls.csv', intake: createUrlIntake(null) });
    let urls = 0;
    let peak = 0;
    let passed = 0;
    const before = await settledMemory();
    for await (const batch of list.batches) {
      urls += batch.length;
      if (urls - passed < 50_000) continue;
      passed = urls;
      const now = await settledMemory();
      peak = Math.max(peak, now.heap - before.heap + now.buffers - before.buffers);
    }
    expect(urls).toBe(rows);
    expect(list.figures()).toMatchObject({ count: rows, faultCount: 0 });
    // 40 bytes a URL, and what is in flight; the URLs' text alone would be 21 MB.
    expect(peak).toBeLessThan(rows * 40 + 6_000_000);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

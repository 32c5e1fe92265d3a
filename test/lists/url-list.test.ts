import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUrlList, type UrlListFigures, type UrlListOptions } from '../../lists/url-list.ts';
import { createUrlIntake } from '../../core/request/url-intake.ts';
import { settledMemory } from './settled-memory.ts';

const A = 'https://www.example.com/a';
const B = 'https://www.example.com/b';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(
  content: string | Uint8Array,
  size = 65_536,
  reading: Pick<UrlListOptions, 'column' | 'base'> = {},
): Promise<{ urls: string[]; figures: UrlListFigures }> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const list = readUrlList(chunksOf(bytes, size), { field: 'urls.csv', intake: createUrlIntake(null), ...reading });
  const urls: string[] = [];
  for await (const batch of list.batches) urls.push(...batch);
  return { urls, figures: list.figures() };
}

describe('the list reader', () => {
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
    ['comments between the rows', `url,n\n# videos\n${A},5\n#\n${B},6\n`],
    ['a header that is a comment', `#url,views\n${A},5\n${B},6\n`],
    ['a header that is a comment with a blank', `# id;url\n1;${A}\n2;${B}\n`],
    ['a line that names the separator', `sep=;\r\nurl;hits\r\n${A};5\r\n${B};6\r\n`],
    ['a bar as separator', `sep=|\nurl|hits\n${A}|5\n${B}|6\n`],
    ['a header in quotes and capitals after a byte order mark', `\ufeff"URL","Hits"\n"${A}","1"\n"${B}","2"\n`],
    ['a header of rows that end with a delimiter', `url,\n${A},\n${B},\n`],
    ['another name of the only column of URLs', `Address,Status Code\n${A},200\n${B},200\n`, 'Address'],
    ['another name, and a first row without a URL', `Nr;Seite\n0;\n1;${A}\n2;${B}\n`, 'Seite', 1],
    [
      'a header in another encoding',
      Buffer.concat([Buffer.from('url;cr'), Buffer.from([0xe9, 0xe9]), Buffer.from(` le\n${A};x\n${B};y\n`)]),
    ],
  ])('the list reader accepts a list with %s, however its bytes are cut', async (_, content, foundColumn?, faultCount = 0) => {
    for (const size of [1, 2, 7, 65_536]) {
      const { urls, figures } = await read(content, size);
      expect(urls).toEqual([A, B]);
      expect(figures).toMatchObject({ count: 2, duplicates: 0, faultCount, unusable: false });
      expect(figures.foundColumn).toBe(foundColumn);
    }
  });

  it.each([
    ['a name', 'to', `from,to\n${B},${A}\n`],
    ['a name in other letters', ' To', `from;to\nx;${A}\n`],
    ['a number below a header', 2, `from,to\n${B},${A}\n`],
    ['a number without a header', 2, `1,${A},x\n`],
    ['a number, and rows of several widths', 1, `${A},x\n`],
    ['the first of a list of one column', 1, `${A}\n`],
    ['the name of the only column', 'page', `page\n${A}\n`],
    ['tabs', 2, `1\t${A}\n`],
  ])('the list reader chooses the column of URLs by %s', async (_, column, content) => {
    const { urls, figures } = await read(content, 65_536, { column });
    expect(urls).toEqual([A]);
    expect(figures).toMatchObject({ count: 1, faultCount: 0 });
  });

  it('the list reader refuses a list that can be split at several delimiters, unless the header names one', async () => {
    const line = 'https://www.example.com/w_1,h_2;120\n';
    expect((await read(line, 65_536, { column: 1 })).figures).toMatchObject({
      unusable: true,
      faults: [{ message: expect.stringMatching(/sep=/) }],
    });
    expect((await read(`sep=;\n${line}`, 65_536, { column: 1 })).urls).toEqual(['https://www.example.com/w_1,h_2']);
    expect((await read('1,https://www.example.com/a;v=1\n', 65_536, { column: 2 })).urls).toEqual(['https://www.example.com/a;v=1']);
  });

  it.each(['page', 3])('the list reader refuses a list without the chosen column and names the columns it has: %s', async (column) => {
    const { urls, figures } = await read(`from,to\n${B},${A}\n`, 65_536, { column });
    expect(urls).toEqual([]);
    expect(figures).toMatchObject({ unusable: true, faults: [{ message: expect.stringMatching(/from, to/) }] });
  });

  it.each([
    ['one a line', '/a\n/b\n'],
    ['without the first slash', 'a\n./b\n'.replace('a\n', '/a\n')],
    ['beside whole URLs', `/a\n${B}\n`],
    ['in a column named url', 'url,n\n/a,1\nb,2\n'],
    ['in the only column that holds them', 'n,path\n1,/a\n2,/b\n'],
  ])('the base completes the paths of a list: %s', async (_, content) => {
    expect((await read(content, 65_536, { base: 'https://www.example.com' })).urls).toEqual([A, B]);
  });

  it('the list reader says how to give a base for paths without one', async () => {
    const { urls, figures } = await read('/a\n/b\n');
    expect(urls).toEqual([]);
    expect(figures.faults[0]?.message).toMatch(/--base https:\/\/www\.example\.com/);
  });

  it.each([
    ['trailing separators', `${A},,,,`],
    ['quoted fields', `"${A}","200"`],
    ['two URLs with a comma', `${A},${B}`],
    ['a number after a semicolon', `${A};120`],
    ['a number and a MIME type', `${A},200,text/html`],
    ['a MIME type alone', `${A},image/png`],
    ['a trailing tab', `x\n${A}\t5`.slice(2)],
  ])('the list reader reports a table row without a header and says how to name its column: %s', async (_, line) => {
    const { urls, figures } = await read(`${B}\n${line}\n`);
    expect(urls).toEqual([B]);
    expect(figures.faults).toMatchObject([{ line: 2, message: expect.stringMatching(/--column 1/) }]);
  });

  it.each([
    'https://www.example.com/w_200,h_300/a.jpg',
    'https://www.example.com/a;v=1/b',
    'https://www.example.com/a;jsessionid=12',
    'https://www.example.com/x?ids=1,2,3',
    'https://www.example.com/x,?1',
    'https://www.example.com/b?a=1&copy=1;c=2',
    'https://www.example.com/%E2%82%AC%2C1',
  ])('the list reader keeps the commas and semicolons of a URL: %s', async (url) => {
    expect((await read(`${url}\n`)).urls).toEqual([url]);
  });

  it('the list reader takes every line below a one-column header as one URL, including its commas', async () => {
    expect((await read(`url\n${A},200\n${A},\n`)).urls).toEqual([`${A},200`, `${A},`]);
  });

  it('the list reader reports a commented row whose URL is not in the first column', async () => {
    const { urls, figures } = await read(`id,url\n1,${A}\n#2,${B}\n# end, of the list\n`);
    expect(urls).toEqual([A]);
    expect(figures.faults).toMatchObject([{ line: 3, message: expect.stringMatching(/remove the #/) }]);
  });

  it('the list reader keeps the commas of URLs that stand alone on their line', async () => {
    const url = 'https://www.example.com/w_100,h_50/x?y=1,2';
    expect((await read(`url\n${url}\n`)).urls).toEqual([url]);
    expect((await read(`${url}\n"${url}"\n`)).urls).toEqual([url]);
    expect((await read(`x,url\n1,"${url}"\n`)).urls).toEqual([url]);
  });

  it('the list reader normalises URLs and takes each of them once', async () => {
    const { urls, figures } = await read(`${A}#top\nHTTPS://WWW.EXAMPLE.COM:443/a\n${B}\n${A}\n`);
    expect(urls).toEqual([A, B]);
    expect(figures).toMatchObject({ count: 2, duplicates: 2 });
  });

  it.each([
    ['nothing at all', '', undefined, /is empty; write one URL a line/],
    ['only comments', '# nothing\n\n', undefined, /holds no URL/],
    ['only a header', 'url,title\n', undefined, /holds no URL/],
    ['no column that holds URLs', `link,title\nx,y\n`, 1, /name the column url/],
    ['a title with a comma above plain URLs', 'Export of Monday, 3 May\nhttps://www.example.com/w_1,h_2/a.jpg\n', 1, /may be a title/],
    ['two columns named url', `url,URL\n${A},${B}\n`, 1, /two columns named url/],
    ['two columns of URLs', `from,to\n${A},${B}\n`, 1, /from, to; choose one, as in --column 1/],
    ['a row of a table with its URL in the second place', `1,${A}\n2,${B}\n`, 1, /--column 2/],
    ['a sitemap', `<?xml version="1.0"?>\n<urlset><url><loc>${A}</loc></url></urlset>\n`, 1, /sitemap/],
    ['a sitemap without its first line', `<urlset>\n<url><loc>${A}</loc></url></urlset>\n`, 1, /is a sitemap/],
    ['an HTML page', '<!DOCTYPE html>\n<html>\n', 1, /is an HTML page/],
    ['an HLS playlist', '#EXTM3U\n#EXT-X-VERSION:3\nhttps://www.example.com/1.ts\n', 1, /is an HLS playlist/],
    ['a DASH manifest', '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011">\n', 1, /is a DASH manifest/],
    ['an access log', '#Version: 1.0\n#Fields: date time\n2024-04-16\t03:12\n', 1, /is an access log/],
    ['an S3 inventory', '"bucket","a+b.txt","12"\n', 1, /is an S3 inventory/],
    ['JSON', `{"log": {"entries": []}}\n`, 1, /is JSON/],
    ['a JSON list', `[\n"${A}"\n]\n`, 1, /is JSON/],
    ['a PDF', Buffer.from('%PDF-1.7\n'), undefined, /is a PDF/],
    ['an old workbook', Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1]), undefined, /old Excel workbook/],
    ['UTF-16', Buffer.from(`\ufeff${A}\n`, 'utf16le'), undefined, /save it as UTF-8/],
    ['UTF-16 without a mark', Buffer.from(`${A}\n`, 'utf16le'), undefined, /save it as UTF-8/],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]), undefined, /unpack it first/],
    ['a workbook', Buffer.from('PK\u0003\u0004xlsx'), undefined, /CSV UTF-8/],
  ])('the list reader refuses a whole list with %s', async (_, content, line, remedy) => {
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
    ['a byte order mark at an end', `${A}\nhttps://x.example/\ufeff\n${B}`, 2, 'https://x.example/<U+FEFF>', /holds U\+FEFF/],
    ['another scheme', `${A}\nftp://x.example/\n${B}`, 2, 'ftp://x.example/', /http and https/],
    ['a NUL', `${A}\n# c\nhttps://x.example/\u0000\n${B}`, 3, 'https://x.example/\u0000', /not in UTF-8/],
    [
      'no UTF-8',
      Buffer.concat([Buffer.from(`${A}\nhttps://x.example/`), Buffer.from([0xe4, 0x0a]), Buffer.from(B)]),
      2,
      null,
      /valid UTF-8/,
    ],
    [
      'another delimiter than the header',
      `url,size\n${A},1\nhttps://x.example/a;5\n${B},2\n`,
      3,
      'https://x.example/a;5',
      /another delimiter/,
    ],
    ['a comment in the column', `url,size\n${A},1\nhttps://x.example/a # note,1\n${B},2\n`, 3, 'https://x.example/a # note', /comment/],
    ['a very long line', `${A}\r\nhttps://x.example/${'y'.repeat(200_000)}\r\n${B}`, 2, '', /65536 characters/],
    ['a very long last line', `${A}\n${B}\nhttps://x.example/${'y'.repeat(200_000)}`, 3, '', /65536 characters/],
    ['an empty url cell', `id,url\n1,${A}\n2,\n3,${B}\n`, 3, '2 | ', /url column/],
    ['an unquoted delimiter', `id,url,t\n1,${A},x\n2,https://x.example/a,b,c\n3,${B},x\n`, 3, null, /quote fields/],
    ['a stray quote', `id,url\n1,${A}\n2"3"4,x\n3,${B}\n`, 3, '2"3"4,x', /double the quotes/],
    ['a quote that is not closed', `id,url\n1,${A}\n2,"https://x.example/\n3,${B}\n`, 3, '2,"https://x.example/', /close it/],
    ['a bad URL after a field of two lines', `id,url\n"1\n1",${A}\n2,nope\n3,${B}\n`, 4, 'nope', /https:/],
  ])('the list reader reports a bad line and passes over it: %s', async (_, content, line, value, remedy) => {
    for (const size of [3, 65_536]) {
      const { urls, figures } = await read(content, size);
      expect(urls).toEqual([A, B]);
      expect(figures).toMatchObject({ count: 2, faultCount: 1, unusable: false });
      expect(figures.faults[0]).toMatchObject({ field: 'urls.csv', line });
      expect(figures.faults[0]?.value).toContain(value ?? '');
      expect(figures.faults[0]?.message).toMatch(remedy);
    }
  });

  it('the list reader loses only one line to a quote that stays open for many lines', async () => {
    const rows = Array.from({ length: 500 }, (_, at) => `${at},https://www.example.com/${at}\n`);
    const { urls, figures } = await read(`id,url\n1,"https://x.example/\n${rows.join('')}`, 1000);
    expect(urls).toHaveLength(500);
    expect(figures.faults).toMatchObject([{ line: 2 }]);
  });

  it('the list reader counts all faults and reports the first 20 in order', async () => {
    const { figures } = await read(`${A}\n${'nope\n'.repeat(1000)}`);
    expect(figures).toMatchObject({ count: 1, faultCount: 1000 });
    expect(figures.faults.map(({ line }) => line)).toEqual(Array.from({ length: 20 }, (_, at) => at + 2));
  });

  it('the list reader never throws on arbitrary bytes, and cutting them differently changes nothing', async () => {
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

  it.each(['plain', 'csv'])('the list reader takes a list of 300,000 lines in flat memory and a few seconds: %s', async (shape) => {
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

/** The text of a Markdown file with `content` between its `<!-- name -->` and `<!-- /name -->`. Throws where these are missing. */
export function fillSection(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
  const from = text.indexOf(start);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`there is no place for ${name}`);
  return `${text.slice(0, from + start.length)}${content.trimEnd()}\n${text.slice(to)}`;
}

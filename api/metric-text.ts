/** Of one sample, by name. */
export type Labels = Readonly<Record<string, string | number>>;

/** As Prometheus reads it: three characters are escaped, and all others stay as they are. */
const escapeLabel = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** One line of Prometheus' text format. */
export function metricSample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

/** What comes before the samples of a metric. */
export const metricHead = (name: string, type: 'counter' | 'gauge' | 'histogram', help: string) =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

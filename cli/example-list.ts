import { fileURLToPath } from 'node:url';

/** The list that the drill warms. This file lies one folder deep, as the bundle does, so that the path holds in both. */
export const EXAMPLE_LIST = fileURLToPath(new URL('../examples/urls.csv', import.meta.url));

import { createPopCatalogue, type PopCatalogue } from '../core/pops/pop-catalogue.ts';
import cities from './edge-cities.json' with { type: 'json' };
import pops from './pops.json' with { type: 'json' };
import regionalCaches from './regional-edge-caches.json' with { type: 'json' };

let catalogue: PopCatalogue | undefined;

/** The catalogue that comes with the program, built at the first call. */
export function popCatalogue(): PopCatalogue {
  catalogue ??= createPopCatalogue(pops, cities, regionalCaches);
  return catalogue;
}

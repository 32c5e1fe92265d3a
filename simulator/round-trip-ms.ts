import cities from '../data/edge-cities.json' with { type: 'json' };

const EARTH_RADIUS_KM = 6371;
/** Light in fibre. */
const KM_PER_MS = 200;
/** Cables go round continents: Hong Kong to Frankfurt comes to 185 ms by this, which is what is measured. */
const DETOUR = 2;
/** Within a city. */
const LEAST_MS = 2;

const byCode = new Map(cities.map((city) => [city.code, city]));

function cityOf(pop: string) {
  const city = byCode.get(pop.slice(0, 3).toUpperCase());
  if (city === undefined) throw new RangeError(`${pop}: no city is known by that airport code`);
  return city;
}

/** Round trip between the cities of two POPs (or airport codes), milliseconds, by their distance. Throws RangeError for unknown ones. */
export function roundTripMs(from: string, to: string): number {
  const [a, b] = [cityOf(from), cityOf(to)];
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const half = (degrees: number) => Math.sin(radians(degrees) / 2) ** 2;
  const h = half(b.latitude - a.latitude) + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * half(b.longitude - a.longitude);
  const km = 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(Math.min(1, h)));
  return LEAST_MS + (2 * km * DETOUR) / KM_PER_MS;
}

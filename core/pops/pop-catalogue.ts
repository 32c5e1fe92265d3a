/** A POP as listed: degrees, and the regional edge cache nearest to it (an estimate; null where none serves it, as in China). */
export interface ListedPop {
  readonly pop: string;
  readonly city: string;
  readonly country: string;
  readonly countryCode: string;
  readonly priceRegion: string;
  readonly nearestRegionalEdgeCache: string | null;
}

/** A city that has or may have POPs, by airport code. Degrees. */
export interface EdgeCity {
  readonly code: string;
  readonly city: string;
  readonly country: string;
  readonly countryCode: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly priceRegion: string;
}

export interface RegionalCache {
  readonly region: string;
  readonly latitude: number;
  readonly longitude: number;
}

/** What is known of a POP. Every text is `unknown` where neither the name nor its airport code tells. */
interface PopDescription {
  readonly pop: string;
  readonly city: string;
  readonly country: string;
  readonly countryCode: string;
  readonly priceRegion: string;
  readonly regionalEdgeCache: string;
  /** Whether the catalogue lists this very name; false does not mean that the POP does not exist. */
  readonly known: boolean;
}

export interface PopCatalogue {
  /** Names of all listed POPs, sorted. */
  readonly names: readonly string[];
  describe(pop: string): PopDescription;
  /**
   * Whether two POPs stand in the same city: an answer from the other one counts, as `near`. A city may have several airports
   * (Beijing: BJS and PEK). POPs of an airport that is not listed stand in one city if they share its code. What is no name of a POP stands nowhere.
   */
  sameCity(a: string, b: string): boolean;
  /** Countries of the listed POPs, each once. */
  readonly countries: readonly Pick<PopDescription, 'country' | 'countryCode'>[];
  /** Listed POPs of a country (ISO 3166 alpha-2), sorted by name. */
  popsOfCountryCode(countryCode: string): readonly string[];
}

type Point = Readonly<Record<'latitude' | 'longitude', number>>;

const EARTH_RADIUS_KM = 6371;
const UNKNOWN = 'unknown';
const UNKNOWN_PLACE = { city: UNKNOWN, country: UNKNOWN, countryCode: UNKNOWN, priceRegion: UNKNOWN, regionalEdgeCache: UNKNOWN };

const POP_NAME = /^[a-z]{3}\d/i;

const airportOf = (pop: string) => pop.slice(0, 3).toUpperCase();

/** Great-circle distance, kilometres (haversine). */
function distanceKm(a: Point, b: Point): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const half = (degrees: number) => Math.sin(radians(degrees) / 2) ** 2;
  const h = half(b.latitude - a.latitude) + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * half(b.longitude - a.longitude);
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(Math.min(1, h)));
}

function nearestCache(city: EdgeCity, caches: readonly RegionalCache[]): string {
  // The Chinese service is a network of its own, so distance says nothing there.
  if (city.priceRegion === 'china') return UNKNOWN;
  let nearest = UNKNOWN;
  let least = Number.POSITIVE_INFINITY;
  for (const cache of caches) {
    const distance = distanceKm(city, cache);
    if (distance < least) {
      least = distance;
      nearest = cache.region;
    }
  }
  return nearest;
}

/** The POPs that are known by name. It is never complete: a POP that it does not list is described by its airport code. */
export function createPopCatalogue(
  pops: readonly ListedPop[],
  cities: readonly EdgeCity[],
  regionalCaches: readonly RegionalCache[],
): PopCatalogue {
  const listed = new Map(pops.map((pop) => [pop.pop, pop]));
  const cityByAirport = new Map(cities.map((city) => [city.code, city]));
  const names = [...listed.keys()].sort();

  function describe(pop: string): PopDescription {
    const name = pop.toUpperCase();
    const row = listed.get(name);
    if (row !== undefined) {
      const { city, country, countryCode, priceRegion, nearestRegionalEdgeCache } = row;
      return { pop: name, city, country, countryCode, priceRegion, regionalEdgeCache: nearestRegionalEdgeCache ?? UNKNOWN, known: true };
    }
    const place = cityByAirport.get(airportOf(name));
    if (place === undefined) return { pop: name, ...UNKNOWN_PLACE, known: false };
    const { city, country, countryCode, priceRegion } = place;
    return { pop: name, city, country, countryCode, priceRegion, regionalEdgeCache: nearestCache(place, regionalCaches), known: false };
  }

  function sameCity(a: string, b: string): boolean {
    if (!POP_NAME.test(a) || !POP_NAME.test(b)) return false;
    if (airportOf(a) === airportOf(b)) return true;
    const [one, other] = [describe(a), describe(b)];
    return one.city !== UNKNOWN && one.city === other.city && one.countryCode === other.countryCode;
  }

  return {
    names,
    countries: [...new Map(pops.map(({ country, countryCode }) => [countryCode, { country, countryCode }])).values()],
    describe,
    sameCity,
    popsOfCountryCode: (countryCode) => names.filter((name) => listed.get(name)?.countryCode === countryCode),
  };
}

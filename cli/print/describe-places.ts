import type { PopCatalogue } from '../../core/pops/pop-catalogue.ts';
import { extentOf, knownPopsOf, type PopQuestion, type TargetType } from '../../core/pops/pop-choice.ts';
import type { ChosenPlace, RequestSpec } from '../../core/request/request.ts';
import { counted } from './quantities.ts';

const MAX_PLACES = 10;
const MAX_NAMES = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

function describePlace({ name, pops }: ChosenPlace, targetType: TargetType, catalogue: PopCatalogue): string {
  const isIn = extentOf(targetType, name, catalogue);
  const inside = pops.filter((pop) => isIn(catalogue.describe(pop)));
  const known = new Set([...knownPopsOf(targetType, name, catalogue), ...inside]);
  if (inside.length === pops.length) return `${name}: ${pops.length} of ${counted(known.size, 'known POP')}: ${listed(pops)}`;
  if (known.size === 0) return `${name}: no POP is known there; ${listed(pops)} ${pops.length === 1 ? 'stands' : 'stand'} for it`;
  return `${name}: ${inside.length} of ${counted(known.size, 'known POP')}, and others that stand for it: ${listed(pops)}`;
}

/** How many of the known POPs each region and country takes, or the default POPs where none was named, a line each. */
export function describePlaces(
  { places, pops }: Pick<RequestSpec, 'places' | 'pops'>,
  { targetType, names }: PopQuestion,
  catalogue: PopCatalogue,
): readonly string[] {
  if (names.length === 0) {
    const chosen = pops.map(({ pop }) => pop);
    return [`default POPs: ${chosen.length} of ${counted(catalogue.names.length, 'known POP')}: ${listed(chosen)}`];
  }
  if (places === undefined) return [];
  const told = places.slice(0, MAX_PLACES).map((place) => describePlace(place, targetType, catalogue));
  const more = places.length - told.length;
  return more === 0 ? told : [...told, `and ${counted(more, 'more place')}`];
}

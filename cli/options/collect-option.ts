/** Gathers the values of an option that may be repeated. */
export const collectOption = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value];

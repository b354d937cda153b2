/**
 * Sentences of this program that are stored in English or said by its connectors, with their Chinese. `{name}` stands
 * for a name that stays as it is, `{count#}` for digits, `{reason…}` for another sentence. A sentence without a row
 * is quoted in its own words, as those of other servers are.
 */
export type Sayings = readonly (readonly [en: string, zh: string])[];

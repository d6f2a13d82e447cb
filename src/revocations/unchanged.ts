import type { Item } from '../aws/attributes.ts';

/** The condition that an item is still as it was seen, or still not there. */
export function unchanged(seen: Item | undefined) {
  if (seen === undefined) return { condition: 'attribute_not_exists(id)' };
  const terms: string[] = ['attribute_exists(id)'];
  const names: Record<string, string> = {};
  const values: Item = {};
  for (const [index, name] of ['n', 'signature', 'attempt', 'version', 'closing'].entries()) {
    const value = seen[name];
    names[`#a${index}`] = name;
    if (value !== undefined) values[`:a${index}`] = value;
    terms.push(
      value === undefined ? `attribute_not_exists(#a${index})` : `#a${index} = :a${index}`,
    );
  }
  return {
    condition: terms.join(' AND '),
    names,
    ...(Object.keys(values).length === 0 ? {} : { values }),
  };
}

import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, textAt } from '../aws/attributes.ts';
import { putIf, readItem } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import type { NamedKind } from '../lib/names.ts';

const DEADLINE = 3 * SECOND;

const ID = 'setting#bare-names';

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly bareNames: NamedKind;
  /** Told once, in a sentence, that the tables were written under another setting: then nothing may be served. */
  readonly onMismatch: (sentence: string) => void;
};

/**
 * Compares SENTINEL_BARE_NAMES with what the tables were first used with, and takes it down where nothing was: under
 * another setting rules and revocations would mean other people, without a word. Asks until it knows; rejects while
 * that cannot be known, and for good when the settings differ.
 */
export function createNamesSetting({ client, table: name, bareNames, onMismatch }: Options): () => Promise<void> {
  const table = { client, name, deadline: DEADLINE };
  let confirmed = false;
  return async () => {
    if (confirmed) return;
    const found = (await takeDown()) ? bareNames : textAt(await readItem(table, ID), 'value');
    if (found === bareNames) {
      confirmed = true;
      return;
    }
    const sentence =
      `SENTINEL_BARE_NAMES is "${bareNames}", but the tables were used with "${found ?? 'none'}"; set it back, or let ` +
      '"sentinel-tvm names migrate" show which rules and revocations would change their meaning.';
    onMismatch(sentence);
    throw new Error(sentence);
  };

  /** Writes the setting, unless another one stands there. */
  async function takeDown(): Promise<boolean> {
    const outcome = await putIf(table, attributes({ id: ID, value: bareNames }), {
      condition: 'attribute_not_exists(id) OR #value = :value',
      names: { '#value': 'value' },
      values: attributes({ ':value': bareNames }),
    });
    return outcome === 'done';
  }
}

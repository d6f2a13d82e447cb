import * as v from 'valibot';
import type { NamedKind } from '../../lib/names.ts';
import type { Result } from '../../lib/result.ts';
import { checkPrincipal } from '../principals.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import {
  described,
  list,
  mapping,
  optionalVersion,
  parsed,
  text,
  type Schema,
} from '../reading/schema.ts';
import { checkUserName } from '../user-names.ts';
import { perOwner } from './conditions.ts';

/** Names and principals, whole: a pattern would make one person of many. */
function identities(bareNames: NamedKind): Schema<readonly string[]> {
  return list(
    described(
      parsed((input) =>
        /^(?:arn:|sentinel:)/u.test(input)
          ? checkPrincipal(input)
          : checkUserName(input, { bareNames }),
      ),
      'The whole name of a caller, or the ARN of a principal, without wildcards.',
    ),
  );
}

function person(bareNames: NamedKind) {
  return mapping({ name: text, is: identities(bareNames) });
}

/** The form of the document. Unlike others it may have no rules: that takes all of it back. */
export const people = perOwner((bareNames) =>
  mapping({ version: optionalVersion, rules: v.array(person(bareNames)) }, { blanks: ['version'] }),
);

/** Which identities are one person: what one of them asks for none of them may approve. */
export type PeopleDocument = v.InferOutput<ReturnType<typeof people>>;

/** Reads the document of people, YAML or JSON: the document, or every problem with its line. */
export function readPeople(
  source: string,
  bareNames: NamedKind = 'key',
): Result<PeopleDocument, readonly DocumentProblem[]> {
  return readDocument(source, people(bareNames));
}

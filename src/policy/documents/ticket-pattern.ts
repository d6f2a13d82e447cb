import { ok, refuse, type Result } from '../../lib/result.ts';

/** The longest ticket that anybody may name; with it what matching costs is bounded. */
export const MAX_TICKET = 100;

const ESCAPE = /^\\[dwDW.\\+*?()[\]{}|^$/-]/u;
const CLASS = /^\[\^?(?:\\[dwDW\\\]^-]|[^\]\\[])+\]/u;
const LITERAL = /^[A-Za-z0-9 _#:./@-]/u;
const QUANTIFIER = /^(?:[?*+]|\{\d{1,3}(?:,\d{0,3})?\})/u;

/**
 * As many quantifiers may be of variable length: matching costs at most the square of the ticket's
 * length.
 */
const MAX_VARIABLE = 2;

const RULE =
  'must be made of letters, digits, - _ # : . / @, \\d, \\w and [classes], each with ?, *, +, {n} or {m,n} behind it';

/**
 * Compiles the pattern of a ticket. Groups and alternatives are refused, and more than two
 * quantifiers of variable length: what is left can be matched without trying more than length²
 * ways, whatever the ticket is. The whole ticket must match.
 *
 * @returns the expression, or a sentence that says what a pattern may be
 */
export function compileTicketPattern(pattern: string): Result<RegExp, string> {
  let rest = pattern.replace(/^\^/u, '').replace(/\$$/u, '');
  let variable = 0;
  if (rest === '' || rest.length > 200) return refuse(`${RULE}, 200 characters at most`);
  while (rest !== '') {
    const atom = (ESCAPE.exec(rest) ?? CLASS.exec(rest) ?? LITERAL.exec(rest))?.[0];
    if (atom === undefined) return refuse(`${RULE}; "${rest.slice(0, 1)}" is none of these there`);
    rest = rest.slice(atom.length);
    const quantifier = QUANTIFIER.exec(rest)?.[0] ?? '';
    rest = rest.slice(quantifier.length);
    if (quantifier !== '' && !/^\{\d+\}$/u.test(quantifier)) variable += 1;
  }
  if (variable > MAX_VARIABLE)
    return refuse(`${RULE}, of which at most ${MAX_VARIABLE} may vary in length`);
  try {
    return ok(new RegExp(`^(?:${pattern.replace(/^\^/u, '').replace(/\$$/u, '')})$`, 'u'));
  } catch {
    return refuse(RULE);
  }
}

import { CST, Lexer } from 'yaml';
import { problem, type DocumentProblem } from './problem.ts';

/** Levels of mappings and lists that a document may have. The TVM's own documents need eight. */
export const MAX_DEPTH = 32;

/**
 * Features of YAML that documents must not use: with them, people who read a document may take a
 * value for another.
 */
const FORBIDDEN: Readonly<Record<string, string>> = {
  alias: 'an alias is not allowed; write the value out',
  anchor: 'an anchor is not allowed; write the value out where it is needed',
  tag: 'a tag is not allowed; put text in quotes instead',
  'directive-line': 'a YAML directive is not allowed; leave the line out',
};

/**
 * Checks the tokens before anything is built from them. Refuses aliases, anchors, tags, directives,
 * and brackets that are nested too deeply. Takes time linear in the text, and does not recurse.
 * `lineAt` maps an offset to a line.
 */
export function checkTokens(
  text: string,
  lineAt: (offset: number) => number,
): readonly DocumentProblem[] {
  const problems: DocumentProblem[] = [];
  let offset = 0;
  let depth = 0;
  let inScalar = false;
  for (const source of new Lexer().lex(text)) {
    if (source === CST.DOCUMENT || source === CST.FLOW_END) continue;
    // The lexer puts a marker before an unquoted scalar, because its text may look like any other
    // token.
    if (source === CST.SCALAR) {
      inScalar = true;
      continue;
    }
    const type = inScalar ? 'scalar' : CST.tokenType(source);
    inScalar = false;
    const refusal = type === null ? undefined : FORBIDDEN[type];
    if (refusal !== undefined) problems.push(problem(lineAt(offset), [], refusal));
    if (type === 'flow-map-start' || type === 'flow-seq-start') depth += 1;
    if (type === 'flow-map-end' || type === 'flow-seq-end') depth -= 1;
    if (depth > MAX_DEPTH) return [problem(lineAt(offset), [], TOO_DEEP)];
    offset += source.length;
  }
  return problems;
}

/** The message for a document that is nested deeper than {@link MAX_DEPTH}. */
export const TOO_DEEP = `the document is nested deeper than ${MAX_DEPTH} levels`;

const STATEMENT_ELEMENTS: ReadonlySet<string> = new Set([
  'Sid',
  'Effect',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return (
    typeof value === 'string' ||
    (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string'))
  );
}

function isCondition(value: unknown): boolean {
  return value === undefined || (isObject(value) && Object.values(value).every(isObject));
}

/**
 * Whether a value is a statement without a principal, with one Action or NotAction and one Resource
 * or NotResource.
 */
function isStatement(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).some((key) => !STATEMENT_ELEMENTS.has(key)))
    return false;
  const { Effect, Action, NotAction, Resource, NotResource, Condition } = value;
  const actions = [Action, NotAction].filter((element) => element !== undefined);
  const resources = [Resource, NotResource].filter((element) => element !== undefined);
  return (
    (Effect === 'Allow' || Effect === 'Deny') &&
    actions.length === 1 &&
    resources.length === 1 &&
    [...actions, ...resources].every(isText) &&
    isCondition(Condition)
  );
}

/**
 * Whether a text is a well-formed policy document: JSON with a known Version, and statements of
 * known elements.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 */
export function isPolicyDocument(text: string): boolean {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return false;
  }
  if (!isObject(document)) return false;
  const { Version, Statement } = document;
  const statements = Array.isArray(Statement) ? Statement : [Statement];
  return (
    (Version === '2012-10-17' || Version === '2008-10-17') &&
    statements.length > 0 &&
    statements.every(isStatement)
  );
}

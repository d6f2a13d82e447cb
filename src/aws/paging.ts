import { GetParametersByPathCommand, type Parameter, type SSMClient } from '@aws-sdk/client-ssm';

/** What lies under one path of SSM, and how many pages it took to read. */
export type ParameterTree = { readonly parameters: readonly Parameter[]; readonly pages: number };

/** SSM's own limit: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html */
const PAGE = 10;

/**
 * Reads all parameters below a path, to the last page. Throws if one page fails: half a tree would take
 * documents for absent that are there.
 *
 * @param decrypt whether SecureStrings come in the clear
 */
export const readParameterTree = async (ssm: SSMClient, path: string, decrypt: boolean): Promise<ParameterTree> => {
  const parameters: Parameter[] = [];
  let pages = 0;
  let next: string | undefined;
  do {
    const page = await ssm.send(
      new GetParametersByPathCommand({
        Path: path,
        Recursive: true,
        WithDecryption: decrypt,
        MaxResults: PAGE,
        ...(next === undefined ? {} : { NextToken: next }),
      }),
    );
    // The SDK takes an empty 200 of whatever stands in between for an empty page; SSM always sends the list.
    if (page.Parameters === undefined) throw new Error('the answer to GetParametersByPath is not one of SSM');
    parameters.push(...page.Parameters);
    pages += 1;
    next = page.NextToken;
  } while (next !== undefined && next !== '');
  return { parameters, pages };
};

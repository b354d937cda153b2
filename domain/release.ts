/** The release of this program, as in package.json. */
export const RELEASE = "0.1.0";

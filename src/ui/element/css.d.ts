/** The CSS of the element and its components; the build puts it here. */
declare const __ELEMENT_CSS__: string

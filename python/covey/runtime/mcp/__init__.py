"""The MCP server: a peer of the mesh as tools and resources for an IDE's agent, by the official SDK."""

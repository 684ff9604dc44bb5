package openai

// IsKnownItem tells whether a type is that of an input item which the Responses API has: such an item may tell of a tool
// of OpenAI's own, which no other provider has. Source: the API's description, components InputItem and Item.
func IsKnownItem(kind string) bool {
	switch kind {
	case "message", "reasoning", "compaction", "compaction_trigger", itemReference,
		"function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
		"file_search_call", "web_search_call", "image_generation_call", "code_interpreter_call",
		"computer_call", "computer_call_output", "tool_search_call", "tool_search_output",
		"local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output",
		"apply_patch_call", "apply_patch_call_output",
		"mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "mcp_call":
		return true
	}
	return false
}

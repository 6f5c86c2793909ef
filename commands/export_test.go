package commands

// Names lets tests walk the commands.
func Names() (list []string) {
	for _, c := range all {
		list = append(list, c.name)
	}
	return list
}

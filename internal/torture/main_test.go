package torture

import (
	"testing"

	"github.com/longwire/longwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
